"""What hosts of a room say when they are asked over SSH, and what it means for a migration.

A subject is a script that only reads (`playbooks/roles/scan/files`) and a parser of its answer of
the same name here. `subjects` lists them, `record` keeps what is known of a host over several
scans, `facts` and `groups` make of it what the register takes. Only `asking` and `folder` do I/O.
"""
