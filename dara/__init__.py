"""DARA tells whether a pre-trained model package is what its name says."""

__version__ = "0.1.0.dev0"
