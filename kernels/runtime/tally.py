"""Slots of a chain's integers on a GPU, behind those of `walk`: what a launch counts."""

import numpy as np

from .walk import N_INTS

(
    LAUNCHES,  # in which the chain took part: proof that the device ran
    GRADIENTS,  # evaluated since the block began
    DIVERGENCES,  # after warmup, since the block began
    TREE_DEPTH,  # of the last finished draw
    BROKEN,  # 1: the chain holds something that is not finite and stands still
) = N_INTS + np.arange(5)
N_SLOTS = N_INTS + 5
