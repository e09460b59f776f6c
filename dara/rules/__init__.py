"""The rules: one file each, all listed in `registry`."""
