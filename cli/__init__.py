"""What people type: commands, tables, progress, exit codes."""
