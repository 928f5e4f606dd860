"""From a declared model and its data to one scalar graph with its gradient."""
