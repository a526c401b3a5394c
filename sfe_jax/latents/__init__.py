"""Floor 4: codes of pictures, and what is done with them."""
