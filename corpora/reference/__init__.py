"""The reference corpus: the families that graphs are compared with, and its packaged index."""

from corpora.reference.index import load_reference

__all__ = ["load_reference"]
