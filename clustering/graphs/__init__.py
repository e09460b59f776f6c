"""The model graph, its symbolic dimensions and motifs, and the fingerprint."""
