"""The simulated cloud: behaves like a cloud, lives in a file."""
