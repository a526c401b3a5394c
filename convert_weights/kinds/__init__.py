"""The kinds of official files: how each is recognised, and which networks it gives."""
