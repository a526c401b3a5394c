"""Floor 6: programs that measure a method, and what their figures have in common."""
