"""Beside the floors: pictures to train and test on."""
