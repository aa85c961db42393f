"""When systems move: groups that move together, windows, and what a plan must not break."""
