"""Listings of live modules, built on the meta device within bounds."""
