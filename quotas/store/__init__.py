"""The ledger on a database: implements `govcloud.ports.ledger.Ledger`."""

from quotas.store.ledger import SqlLedger

__all__ = ["SqlLedger"]
