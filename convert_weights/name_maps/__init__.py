"""Name maps: for each official network its architecture, read from shapes, and its entries."""
