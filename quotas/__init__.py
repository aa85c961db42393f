"""The quota ledger: a pure algebra and its tables."""
