"""A model on a GPU, from the side of the host: its kernel, memory, launches and failures."""
