"""What the tensors themselves show: counts, dimensions, heads, as facts."""
