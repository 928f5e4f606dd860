"""Clusters of our own: how they start, grow, are mended and kept private; trouble on purpose."""
