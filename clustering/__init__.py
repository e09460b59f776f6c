"""What a model is: readers, model graph, fingerprint, family. Knows nothing of package names."""
