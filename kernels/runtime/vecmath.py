"""Elementary functions that LLVM vectorises: loops over them need no libm and give its accuracy.

numba calls libm for ``math.exp`` and its kin, one number at a time, and so no loop around such a
call is vectorised. The functions here have no branches, loops or calls left once they are inlined,
so that the loop around them runs on whole vector registers.

Three rules keep them exact:

- `pure` allows one thing, fused multiply-add (``contract``). LLVM keeps this flag with the
  instructions when it inlines, so a caller may have other flags. ``forceinline`` and not numba's
  ``inline="always"``, which would give the bodies the caller's flags.
- Rounding to an integer is `floor`, an instruction. The addition of a large constant in
  `_low_bits` only moves an integer into the low bits and is exact under any rounding.
- A choice is `select`, an instruction too. ``a if c else b`` starts as a branch, and LLVM may
  follow the branches of one function into the next and then cannot vectorise.

Sums in a loop are written ``total = accumulate(total, x)``: it alone may be reordered, and only so
is the loop vectorised.

Accuracy: 2 units in the last place (ulp) for everything but `tan`, 4 ulp, and `pow`, see there.
Infinities, NaN and subnormal numbers follow C99 except where a function says otherwise; the sign of
zero is not kept.

Polynomial coefficients, highest power first, are near-minimax: ``mpmath.chebyfit`` of the function
named beside them on the interval named beside them, rounded to double. The tests fit them again.
The reductions of exp, log, sin and cos are those of W. J. Cody and W. Waite, "Software Manual for
the Elementary Functions" (1980), with constants split so that products with integers are exact; the
order of the last additions in `log` follows fdlibm's e_log.c.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

# (exp(r) - 1 - r) / r^2 for |r| <= log(2) / 2
EXP = (
    2.0914679376583935e-09, 2.510520637395701e-08, 2.7557273661348637e-07, 2.7557255425746435e-06,
    2.4801587325533363e-05, 0.00019841269874800493, 0.0013888888888883752, 0.008333333333326141,
    0.04166666666666667, 0.1666666666666667, 0.5,
)  # fmt: skip
# 2 (atanh(s) / s - 1) / s^2 in s^2, for |s| <= 3 - 2 sqrt(2)
LOG = (
    0.14616449685043403, 0.15331721600556042, 0.18182889125261723, 0.2222221113479508,
    0.28571428625975487, 0.39999999999899505, 0.666666666666667,
)  # fmt: skip
# (tanh(x) - x) / x^3 in x^2, for |x| <= 5 / 8
TANH = (
    -1.724487449484433e-05, 7.959955735264808e-05, -0.00023077616269519857, 0.0005874372860094381,
    -0.001455309297534642, 0.0035920589774734554, -0.008863229830925709, 0.021869488260559115,
    -0.05396825396139557, 0.13333333333326658, -0.3333333333333332,
)  # fmt: skip
# (sin(r) - r) / r^3 in r^2, for |r| <= pi / 4
SIN = (
    1.5918129294866608e-10, -2.5051131845003624e-08, 2.755731610255244e-06, -0.00019841269836758574,
    0.008333333333330948, -0.16666666666666666,
)  # fmt: skip
# (cos(r) - 1 + r^2 / 2) / r^4 in r^2, for |r| <= pi / 4
COS = (
    -1.1382632425521717e-11, 2.08761462684032e-09, -2.7557317271729793e-07, 2.480158729876569e-05,
    -0.0013888888888887398, 0.041666666666666664,
)  # fmt: skip
# (arctan(r) - r) / r^3 in r^2, for |r| <= tan(pi / 8)
ARCTAN = (
    -0.01917688711906226, 0.03923165829558719, -0.0508544973794026, 0.0585814891280221,
    -0.06664511447381948, 0.07692183190826087, -0.09090904578123903, 0.11111111015256361,
    -0.14285714284666542, 0.1999999999999552, -0.3333333333333333,
)  # fmt: skip

LOG2_E = 1.4426950408889634
LN2_HI = 0.6931471804855391  # log(2) cut to 33 bits
LN2_LO = 7.440617110012397e-11
TWO_OVER_PI = 0.6366197723675814
HALF_PI_1 = 1.5707963267341256  # pi / 2 cut to 33 bits, the next 33 bits, the rest
HALF_PI_2 = 6.077100506303966e-11
HALF_PI_3 = 2.0222662487959506e-21
QUARTER_PI = 0.7853981633974483
QUARTER_PI_LOW = 3.061616997868383e-17

_BITS, _DOUBLE = types.uint64, types.float64
_INTEGER = 6755399441055744.0  # 1.5 * 2^52: adding it puts an integer in the low bits
_ONE = np.uint64(0x3FF0000000000000)  # bits of 1.0
_SQRT_HALF = np.uint64(0x3FE6A09E667F3BCD)  # bits of sqrt(1/2)
_ONE_LESS_SQRT_HALF = _ONE - _SQRT_HALF
_TWO_TO_52 = np.uint64(0x4330000000000000)  # bits of 2^52
_MANTISSA = np.uint64(0x000FFFFFFFFFFFFF)
_BIAS = np.uint64(1023)
_TWICE_BIAS = np.uint64(2046)
_MANTISSA_BITS = np.uint64(52)
_U0, _U1, _U2, _U62 = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(62)

FAST = {"contract"}
looped: Any = njit(
    cache=True, error_model="numpy", fastmath=FAST, nogil=True, no_cpython_wrapper=True,
    no_cfunc_wrapper=True,
)  # fmt: skip
"""Decorator of a function of numbers that has loops and is called, not inlined."""
_compile_pure: Any = njit(
    cache=True,
    error_model="numpy",
    fastmath=FAST,
    forceinline=True,
    no_cpython_wrapper=True,  # only compiled code calls them; the wrappers take a third of the time
    no_cfunc_wrapper=True,
)


def pure[F](function: F) -> F:
    """Compile a function of numbers that is inlined with its own flags: see the module."""
    compiled: F = _compile_pure(function)
    return compiled


def _instruction[R](returns: type[R]) -> Callable[[Any], Callable[..., R]]:
    """Let a function name the types and the emitter of one instruction that gives `returns`."""
    make: Callable[[Any], Callable[..., R]] = intrinsic
    return make


def _bitcast(kind: Any) -> Any:
    return lambda context, builder, signature, args: builder.bitcast(args[0], kind)


def _call(name: str) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(args[0].type, [arg.type for arg in args])
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        return builder.call(function, args)

    return emit


@_instruction(int)
def bits(typing_context: Any, x: Any) -> Any:
    """Return the bits of a double as an unsigned integer."""
    return _BITS(_DOUBLE), _bitcast(ir.IntType(64))


@_instruction(float)
def from_bits(typing_context: Any, i: Any) -> Any:
    """Return the double with the given bits."""
    return _DOUBLE(_BITS), _bitcast(ir.DoubleType())


@_instruction(float)
def select(typing_context: Any, condition: Any, x: Any, y: Any) -> Any:
    """Return `x` where `condition` holds, else `y`; both are computed."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(*args)

    return _DOUBLE(types.boolean, _DOUBLE, _DOUBLE), emit


@_instruction(float)
def floor(typing_context: Any, x: Any) -> Any:
    """Return the largest integer not above `x`, as a double; ``math.floor`` makes an integer."""
    return _DOUBLE(_DOUBLE), _call("llvm.floor.f64")


@_instruction(float)
def maximum(typing_context: Any, x: Any, y: Any) -> Any:
    """Return the larger number, NaN if either is; a loop of it vectorises as a reduction."""
    return _DOUBLE(_DOUBLE, _DOUBLE), _call("llvm.maximum.f64")


@_instruction(float)
def minimum(typing_context: Any, x: Any, y: Any) -> Any:
    """Return the smaller number, NaN if either is."""
    return _DOUBLE(_DOUBLE, _DOUBLE), _call("llvm.minimum.f64")


@njit(cache=True, error_model="numpy", fastmath=FAST | {"reassoc"}, forceinline=True)
def accumulate(total: float, x: float) -> float:
    """Return ``total + x``, in any order: the one sum that may be reordered."""
    return total + x


@pure
def horner(z: float, coefficients: tuple[float, ...]) -> float:
    """Return the polynomial at `z`; the loop is unrolled, the coefficients are constants."""
    p = coefficients[0]
    for k in range(1, len(coefficients)):
        p = p * z + coefficients[k]
    return p


@pure
def _low_bits(n: float) -> int:
    """Return an integer that holds `n`, |n| < 2^51, in its low bits as two's complement."""
    return bits(n + _INTEGER)


@pure
def _power_of_two(n: float) -> float:
    """Return 2^n for an integer -1023 < n < 1024."""
    return from_bits((_low_bits(n) + _BIAS) << _MANTISSA_BITS)


@pure
def exp(x: float) -> float:
    """Return e^x: 0 below -745.2, infinity above 709.8."""
    x = select(x < -746.0, -746.0, x)
    x = select(x > 710.0, 710.0, x)
    n = floor(x * LOG2_E + 0.5)
    r = (x - n * LN2_HI) - n * LN2_LO
    p = 1.0 + (r + r * r * horner(r, EXP))
    half = floor(0.5 * n)  # 2^n itself may overflow or be subnormal
    return p * _power_of_two(half) * _power_of_two(n - half)


@pure
def expm1(x: float) -> float:
    """Return e^x - 1, accurate near zero."""
    x = select(x < -50.0, -50.0, x)
    x = select(x > 710.0, 710.0, x)
    n = floor(x * LOG2_E + 0.5)
    high = x - n * LN2_HI
    low = n * LN2_LO
    r = high - low
    e = r + (r * r * horner(r, EXP) + ((high - r) - low))
    half = _power_of_two(n - 1.0)  # 2^n overflows for the largest x
    y = half * e + (half - 0.5)
    return y + y


@pure
def split(u: float) -> tuple[float, float, float]:
    """Return (k, m, 2^-k) with u = m 2^k and sqrt(1/2) <= m < sqrt(2), for positive normal `u`.

    2^-k is not a number to use where k is 1024.
    """
    shifted = bits(u) + _ONE_LESS_SQRT_HALF
    exponent = shifted >> _MANTISSA_BITS
    k = from_bits(exponent | _TWO_TO_52) - 4503599627371519.0  # 2^52 + 1023
    m = from_bits((shifted & _MANTISSA) + _SQRT_HALF)
    return k, m, from_bits((_TWICE_BIAS - exponent) << _MANTISSA_BITS)


@pure
def log_of_split(k: float, f: float) -> float:
    """Return log((1 + f) 2^k)."""
    s = f / (2.0 + f)
    z = s * s
    h = 0.5 * f * f
    return k * LN2_HI - ((h - (s * (h + z * horner(z, LOG)) + k * LN2_LO)) - f)


@pure
def log(x: float) -> float:
    """Return log(x): minus infinity at 0, NaN below."""
    tiny = x < 2.2250738585072014e-308
    k, m, _ = split(select(tiny, x * 18014398509481984.0, x))  # 2^54
    y = log_of_split(select(tiny, k - 54.0, k), m - 1.0)
    y = select(x < np.inf, y, x)
    return select(x > 0.0, y, select(x == 0.0, -np.inf, np.nan))


@pure
def log1p(x: float) -> float:
    """Return log(1 + x), accurate near zero."""
    u = 1.0 + x
    from_x = u - 1.0
    rest = (1.0 - (u - from_x)) + (x - from_x)  # 1 + x = u + rest without error
    k, m, scale = split(u)
    rest = select(x < 1e300, rest * scale, 0.0)
    y = log_of_split(k, (m - 1.0) + rest)
    y = select(x < np.inf, y, x)
    return select(x > -1.0, y, select(x == -1.0, -np.inf, np.nan))


@pure
def tanh(x: float) -> float:
    """Return the hyperbolic tangent."""
    z = x * x
    small = x + x * z * horner(z, TANH)
    large = 1.0 - 2.0 / (exp(2.0 * abs(x)) + 1.0)
    return select(abs(x) < 0.625, small, select(x < 0.0, -large, large))


@pure
def sigmoid(x: float) -> float:
    """Return 1 / (1 + e^-x), accurate in both tails."""
    e = exp(-abs(x))
    return select(x < 0.0, e, 1.0) / (1.0 + e)


@pure
def softplus(x: float) -> float:
    """Return log(1 + e^x), accurate in both tails."""
    e = exp(-abs(x))
    u = 1.0 + e
    k, m, scale = split(u)
    y = log_of_split(k, (m - 1.0) + (e - (u - 1.0)) * scale)
    return y + select(x > 0.0, x, 0.0)


@pure
def logit(p: float) -> float:
    """Return log(p / (1 - p)), accurate where it is near zero too; NaN outside [0, 1]."""
    q = select(p > 0.5, 1.0 - p, p)
    y = log1p((1.0 - 2.0 * q) / q)
    return select(p > 0.5, y, -y)


@pure
def _sine_of_quarters(x: float, quarters: np.uint64) -> float:
    """Return sin(x + quarters * pi / 2)."""
    n = floor(x * TWO_OVER_PI + 0.5)
    high = (x - n * HALF_PI_1) - n * HALF_PI_2
    low = n * HALF_PI_3
    r = high - low
    low = (high - r) - low
    quarter = _low_bits(n) + quarters
    z = r * r
    sine = r + (r * z * horner(z, SIN) + low)
    h = 0.5 * z
    w = 1.0 - h
    cosine = w + (((1.0 - w) - h) + (z * z * horner(z, COS) - r * low))
    y = select((quarter & _U1) != _U0, cosine, sine)
    y = from_bits(bits(y) ^ ((quarter & _U2) << _U62))
    return select(abs(x) <= 1e15, y, np.nan)


@pure
def sin(x: float) -> float:
    """Return sin(x).

    2 ulp for |x| < 1e6. Beyond, the angle is taken with an error of one ulp of `x`; NaN above
    1e15, where that is no angle any more.
    """
    return _sine_of_quarters(x, _U0)


@pure
def cos(x: float) -> float:
    """Return cos(x), with the range of `sin`."""
    return _sine_of_quarters(x, _U1)


@pure
def tan(x: float) -> float:
    """Return tan(x), with the range of `sin`."""
    return sin(x) / cos(x)


@pure
def arctan(x: float) -> float:
    """Return the angle in (-pi/2, pi/2) whose tangent is `x`.

    Reduced by pi/2 or pi/4, which are added in two parts, as in Cody and Waite.
    """
    a = abs(x)
    large, middle = a > 2.414213562373095, a > 0.41421356237309503  # tan(3 pi / 8), tan(pi / 8)
    r = select(large, -1.0 / a, select(middle, (a - 1.0) / (a + 1.0), a))
    high = select(large, 2.0 * QUARTER_PI, select(middle, QUARTER_PI, 0.0))
    low = select(large, 2.0 * QUARTER_PI_LOW, select(middle, QUARTER_PI_LOW, 0.0))
    z = r * r
    y = high + (r + (r * z * horner(z, ARCTAN) + low))
    return select(x < 0.0, -y, y)


@pure
def sign(x: float) -> float:
    """Return -1, 0 or 1; NaN for NaN."""
    return select(x > 0.0, 1.0, select(x < 0.0, -1.0, x))


@pure
def pow(x: float, y: float) -> float:
    """Return x^y: NaN for a negative `x` unless `y` is an integer, 1 where `y` is 0.

    It is exp(y log(x)), with a relative error up to (2 + |y log(x)|) 2^-52; unlike C's, 1 to the
    power infinity is NaN. Small integer powers are better written as products.
    """
    power = exp(y * log(abs(x)))
    half = 0.5 * y
    power = select((x < 0.0) & (floor(half) != half), -power, power)
    power = select((x < 0.0) & (floor(y) != y), np.nan, power)
    return select(y == 0.0, 1.0, power)
