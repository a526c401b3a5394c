"""Imports official weights: detect, map names, verify, write safetensors."""
