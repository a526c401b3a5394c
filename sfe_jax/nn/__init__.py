"""Floor 2: layers shared by networks."""
