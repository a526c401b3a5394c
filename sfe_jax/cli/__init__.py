"""Floor 7: the `sfe` command."""
