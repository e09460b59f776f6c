"""The reference corpus: the families that graphs are compared with, and its packaged index."""
