"""Migration of legacy systems onto the cloud; its own issue fills this place."""
