"""Floor 4: what moves parameters: the Ranger optimiser and the average of weights."""
