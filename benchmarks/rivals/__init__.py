"""The forms that compete with ours: plain XLA, PyTorch, the originals, kernels."""
