"""Measurements: what the programs cost, and what bounds them."""
