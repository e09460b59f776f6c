"""What a package's name says: components with offsets, and the claims built from them."""

from naming.records import Claim, Component, Convention, ParsedName

__all__ = ["Claim", "Component", "Convention", "ParsedName"]
