"""Floor 4: editing directions as data, and the rules that apply them."""
