"""Two models side by side: which tensor of one is which tensor of the other."""
