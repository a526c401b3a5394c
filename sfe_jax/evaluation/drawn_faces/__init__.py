"""Methods before procedural faces, whose true edits are known because they can be drawn."""
