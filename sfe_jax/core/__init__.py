"""Floor 0: errors, types, images, trees, precision. Imports nothing of the project."""
