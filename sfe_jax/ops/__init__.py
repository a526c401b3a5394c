"""Floor 1: the mathematics of the networks as pure functions on NHWC arrays."""
