"""Making it so: the work queue's other end, the only threads and waits of the program.

A `controller.Controller` has a `site.Site` for each cloud, with its `lane.Lane` (the work that is
due) and its `compare.Comparer` (all that should be with all that is). `gate` bounds how hard a
cloud is worked, `record` writes what came of it, `recover` is the operator's way out.
"""
