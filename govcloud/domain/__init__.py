"""The kinds, quantities and who may do what; pure."""
