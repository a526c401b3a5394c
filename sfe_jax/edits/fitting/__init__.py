"""Directions fitted on one's own generator, and the strengths at which they hold."""
