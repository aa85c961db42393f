"""The HTTP API: the only door to the data, and who may do what."""
