"""Migration of legacy systems onto the cloud; inventory, assessment, waves."""
