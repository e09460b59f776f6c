"""What a package declares about its model: config.json and GGUF key-values as facts."""
