"""Shipped fakes, fault injection and the contract suites that any driver must pass."""
