"""The ledger on a database: implements `govcloud.ports.Ledger`."""

from quotas.store.ledger import SqlLedger

__all__ = ["SqlLedger"]
