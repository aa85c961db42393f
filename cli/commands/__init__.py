"""One module a family of commands; `cli.tree` says which, so that only the one asked for loads."""
