"""Runs of NUTS: from what callers ask for to the handle they hold."""
