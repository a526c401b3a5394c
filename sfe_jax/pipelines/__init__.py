"""Floor 5: the method assembled once: invert and edit."""
