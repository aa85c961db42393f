"""The life of a request: submit, review, decide."""
