"""Floor 4: adaptive discriminator augmentation (ADA)."""
