"""Desired and observed in, actions out; pure."""
