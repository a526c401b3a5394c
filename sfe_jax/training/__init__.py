"""Training programs: one loop, and one file per method."""
