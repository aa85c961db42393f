"""What a new machine does at its first start."""
