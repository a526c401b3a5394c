"""Floor 4: how good pictures are, as functions of arrays."""
