"""Floor 3: networks, one per file."""
