"""Expressions: what they are, what they say of shapes, their slopes, their values in NumPy."""
