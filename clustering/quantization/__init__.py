"""Packed weights: from what is stored to the shapes that a layer computes with."""
