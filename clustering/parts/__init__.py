"""Composite models taken apart, each part identified by itself."""
