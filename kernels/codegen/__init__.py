"""Loops as text that compiles: the words of a target, where data lie, what it costs."""
