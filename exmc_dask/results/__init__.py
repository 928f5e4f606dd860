"""What comes of a run: one xarray DataTree, what it is worth, what is wrong with it."""
