"""Floor 3: networks that judge pictures, one per file."""
