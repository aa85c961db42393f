"""Making it so: the work queue's other end, the only threads and waits of the program.

`controller.Controller` has a `lane.Lane` (work that is due) and a `compare` (the full comparison) for
each cloud; `gate` bounds how hard a cloud is worked, `record` writes what came of it.
"""
