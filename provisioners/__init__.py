"""Drivers: one folder a kind of cloud, one door to each SDK."""
