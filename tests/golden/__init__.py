"""Parity with the original implementations: `python -m tests.golden FOLDER [-k WORD]`."""
