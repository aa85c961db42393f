"""Moving systems: the steps, the journal, and who plays the playbooks."""
