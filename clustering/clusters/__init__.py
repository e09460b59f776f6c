"""Graphs as vectors and their density clusters."""
