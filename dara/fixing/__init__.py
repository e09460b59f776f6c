"""Corrections that follow from what a package holds: proposed as diffs, applied to a local folder on request."""
