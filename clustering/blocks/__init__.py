"""Tensor names as paths, repeated blocks, and which of them is the model."""
