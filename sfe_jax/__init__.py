"""StyleFeatureEditor and the StyleGAN family in JAX/Flax."""

__version__ = "0.1.0"
