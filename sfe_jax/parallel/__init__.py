"""Beside the floors: one mesh of devices, who holds what on it, and the processes of a run."""
