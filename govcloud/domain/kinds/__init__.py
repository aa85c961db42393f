"""The kinds: one module a subject, one spec model a kind, one table of them all (`registry`)."""
