"""The graph as loops: what is stored, which loops there are, and what they do together."""
