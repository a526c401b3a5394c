"""What a training step costs chips that are not there."""
