"""Report formats: one file each, all listed in `registry`."""
