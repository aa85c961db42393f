"""Change set in, findings out; one small function a rule; pure."""
