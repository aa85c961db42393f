"""The driver of Kubernetes clusters: a `Namespace` with its limits, borders and people."""
