"""Elementary functions on a GPU: libdevice's, or as `vecmath` has them for CPUs under these names.

Accuracy: 2 units in the last place, as libdevice states for its own. There is no vectorisation to
keep, so that choices are plain ones.
"""

import math

import numpy as np
from numba import cuda

from .group import device

pure = device
looped = device

# 2 (atanh(s) / s - 1) / s^2 in s^2, for |s| <= 3 - 2 sqrt(2), as in vecmath
LOG = (
    0.14616449685043403, 0.15331721600556042, 0.18182889125261723, 0.2222221113479508,
    0.28571428625975487, 0.39999999999899505, 0.666666666666667,
)  # fmt: skip
LN2 = 0.6931471805599453
SQRT_HALF = 0.7071067811865476


@device
def bits(x: float) -> int:
    """Return the bits of a double as an unsigned integer."""
    return np.uint64(cuda.libdevice.double_as_longlong(x))  # type: ignore[return-value]


@device
def from_bits(i: int) -> float:
    """Return the double with the given bits."""
    return cuda.libdevice.longlong_as_double(np.int64(i))


@device
def select(condition: bool, x: float, y: float) -> float:
    """Return `x` where `condition` holds, else `y`."""
    return x if condition else y


@device
def floor(x: float) -> float:
    """Return the largest integer not above `x`, as a double; ``math.floor`` makes an integer."""
    return cuda.libdevice.floor(x)


@device
def maximum(x: float, y: float) -> float:
    """Return the larger number, NaN if either is."""
    return x if x > y or x != x else y


@device
def minimum(x: float, y: float) -> float:
    """Return the smaller number, NaN if either is."""
    return x if x < y or x != x else y


@device
def accumulate(total: float, x: float) -> float:
    """Return ``total + x``."""
    return total + x


@device
def horner(z: float, coefficients: tuple[float, ...]) -> float:
    """Return the polynomial at `z`."""
    p = coefficients[0]
    for k in range(1, len(coefficients)):
        p = p * z + coefficients[k]
    return p


@device
def exp(x: float) -> float:
    """Return e^x."""
    return math.exp(x)


@device
def expm1(x: float) -> float:
    """Return e^x - 1, accurate near zero."""
    return math.expm1(x)


@device
def split(u: float) -> tuple[float, float, float]:
    """Return (k, m, 2^-k) with u = m 2^k and sqrt(1/2) <= m < sqrt(2), for positive normal `u`."""
    m, k = math.frexp(u)
    low = m < SQRT_HALF
    m = 2.0 * m if low else m
    k = k - 1 if low else k
    return float(k), m, math.ldexp(1.0, -k)


@device
def log_of_split(k: float, f: float) -> float:
    """Return log((1 + f) 2^k)."""
    return k * LN2 + math.log1p(f)


@device
def log(x: float) -> float:
    """Return log(x): minus infinity at 0, NaN below."""
    return math.log(x)


@device
def log1p(x: float) -> float:
    """Return log(1 + x), accurate near zero."""
    return math.log1p(x)


@device
def tanh(x: float) -> float:
    """Return the hyperbolic tangent."""
    return math.tanh(x)


@device
def sigmoid(x: float) -> float:
    """Return 1 / (1 + e^-x), accurate in both tails."""
    e = math.exp(-math.fabs(x))
    return (e if x < 0.0 else 1.0) / (1.0 + e)


@device
def softplus(x: float) -> float:
    """Return log(1 + e^x), accurate in both tails."""
    return math.log1p(math.exp(-math.fabs(x))) + (x if x > 0.0 else 0.0)


@device
def sin(x: float) -> float:
    """Return sin(x)."""
    return math.sin(x)


@device
def cos(x: float) -> float:
    """Return cos(x)."""
    return math.cos(x)


@device
def arctan(x: float) -> float:
    """Return the angle in (-pi/2, pi/2) whose tangent is `x`."""
    return math.atan(x)


@device
def sign(x: float) -> float:
    """Return -1, 0 or 1; NaN for NaN."""
    return 1.0 if x > 0.0 else -1.0 if x < 0.0 else x


@device
def pow(x: float, y: float) -> float:
    """Return x^y: NaN for a negative `x` unless `y` is an integer, 1 where `y` is 0."""
    return math.pow(x, y)
