"""Pieces that several log-densities share, each safe where the plain formula is not."""

import math as numbers
from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.ir import Node, as_float

HALF_LOG_TWO_PI = 0.5 * numbers.log(2 * numbers.pi)
LOG_2 = numbers.log(2)


def standard_normal(z: Any) -> Node:
    """Log-density of the standard normal distribution."""
    return -0.5 * math.square(z) - HALF_LOG_TWO_PI


def log_or_minus_infinity(p: Any) -> Node:
    """``log(p)``, and -inf with a gradient of 0 where `p` is 0 or below."""
    return math.where(p > 0.0, math.log(math.guard(p > 0.0, p, 1.0)), -np.inf)


def times_log(count: Any, p: Any) -> Node:
    """``count * log(p)``, which is 0 for no counts even where `p` is 0."""
    return math.where(as_float(count).eq(0.0), 0.0, count * log_or_minus_infinity(p))


def log_ndtr_between(a: Node, b: Node) -> Node:
    """Logarithm of the standard normal probability of [a, b], for a < b.

    Calculated on the side of the smaller tail, so that digits survive far from 0 on either side.
    """
    right = a > 0.0
    larger = math.log_ndtr(math.where(right, -a, b))
    smaller = math.log_ndtr(math.where(right, -b, a))
    return larger + math.log1mexp(larger - smaller)
