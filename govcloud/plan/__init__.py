"""Deciding what to do: desired and observed in, actions and conditions out. No I/O."""
