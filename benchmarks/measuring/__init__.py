"""How programs are timed, counted and read."""
