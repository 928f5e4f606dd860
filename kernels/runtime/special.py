"""The error, gamma and Bessel functions for kernels, written like those of `vecmath`.

Accuracy: 1e-14 max(1, |f|), and 2e-15 |f| for `erfc`, `erfcx`, `log_ndtr`, `i0e` and `i1e`,
however far in the tails. NaN gives NaN. Coefficients as in `vecmath`.

``erfc`` is carried by one polynomial for (1 + 2x) exp(x^2) erfc(x) on x >= 0 in the variable
(x - 4) / (x + 4), after M. M. Shepherd and J. G. Laframboise, "Chebyshev approximation of
(1 + 2x) exp(x^2) erfc x in 0 <= x < inf", Math. Comp. 36 (1981), who expand about 3.75. The gamma
functions move an argument below 8 up by 8 with the recurrence and use Stirling's series there
(NIST Digital Library of Mathematical Functions, 5.5.1 and 5.11.1), with coefficients fitted on the
interval instead of the asymptotic ones.
"""

from math import sqrt

import numpy as np

from .vecmath import bits, exp, floor, from_bits, horner, log, log_of_split, pure, select, split

# erf(x) / x in x^2, for |x| <= 1
ERF = (
    -7.795898827002142e-10, 1.3720064546777686e-08, -1.6208483801871705e-07, 1.6447424703317362e-06,
    -1.492473690741966e-05, 0.00012055294904839707, -0.0008548325975389692, 0.0052239776071164225,
    -0.02686617064323777, 0.11283791670945006, -0.37612638903183543, 1.1283791670955126,
)  # fmt: skip
# (1 + 2x) exp(x^2) erfc(x) in (x - 4) / (x + 4), for x >= 0
ERFCX = (
    9.655408225482863e-10, 1.5712153638319064e-09, -1.2544825403855518e-08, -1.6357383982124768e-08,
    1.0683442926744586e-07, 7.111912428010423e-08, -8.218020654813044e-07, 2.980596055322769e-07,
    5.707239573693257e-06, -1.1225140354449658e-05, -2.439811794207995e-05, 0.0001506231178516207,
    -0.00019925700412184815, -0.0007577737141838885, 0.005031970032548695, -0.01619773397992426,
    0.0371675155318432, -0.06633036582050367, 0.09373283499865172, -0.10103906603585294,
    0.0680970542546862, 0.015379652102610162, -0.1396211168405625, 1.2329951186255526,
)  # fmt: skip
# With z = 1 / x^2, for x >= 8:
# x (log(gamma(x)) - (x - 1/2) (log(x) - 1) + 1/2 - log(2 pi) / 2)
LGAMMA = (
    -0.0016526004455595122, 0.0008372834512071336, -0.0005952025951802712, 0.0007936506649488252,
    -0.002777777777606244, 0.0833333333333333,
)  # fmt: skip
# x^2 (log(x) - 1 / 2x - digamma(x))
DIGAMMA = (
    -0.017711160415846534, 0.007519088230747095, -0.004166217650696842, 0.003968252342841619,
    -0.008333333331168558, 0.08333333333333287,
)  # fmt: skip
# x^3 (trigamma(x) - 1 / x - 1 / 2x^2)
TRIGAMMA = (
    -0.20667659543769643, 0.07498454186764437, -0.033327227198005537, 0.02380950174113664,
    -0.03333333330396469, 0.1666666666666603,
)  # fmt: skip
# With z = (x / 2)^2, for 0 <= x <= 8:
# I0(x)
I0 = (
    9.604864662681523e-25, 1.0805568728893e-22, 2.6638168379729013e-20, 4.338239454264185e-18,
    6.279425816382418e-16, 7.5936581264081e-14, 7.594093461237802e-12, 6.151185080653331e-10,
    3.9367599937651325e-08, 1.9290123422052142e-06, 6.944444445240514e-05, 0.0017361111110991466,
    0.027777777777788643, 0.2499999999999948, 1.0000000000000009, 1.0,
)  # fmt: skip
# 2 I1(x) / x
I1 = (
    5.833651333188183e-26, 7.413211040554544e-24, 1.891028804078631e-21, 3.3410044697092935e-19,
    5.231992159979275e-17, 6.90345927367201e-15, 7.594078567160322e-13, 6.834651294492253e-11,
    4.920949921538654e-09, 2.7557319204030443e-07, 1.157407407453132e-05, 0.00034722222222153507,
    0.0069444444444450686, 0.08333333333333304, 0.5000000000000001, 1.0,
)  # fmt: skip
# With t = 16 / x - 1, for x >= 8:
# sqrt(x) exp(-x) I0(x)
I0E = (
    4.135870336904037e-11, -1.4445666241808038e-10, -3.0719032844097364e-10, 9.544598596408217e-10,
    1.1661396927314527e-09, -2.8927333669603943e-09, -3.21251295103573e-09, 5.1432089858622845e-09,
    7.396966587219158e-09, -4.270649721363825e-09, -1.335632771743214e-08, -7.116744499757987e-09,
    7.543775238250733e-09, 2.162446034312458e-08, 3.9327123085832934e-08, 8.871293193604678e-08,
    2.973597885290274e-07, 1.483848150861771e-06, 1.1143033791893046e-05, 0.00013621607437737268,
    0.003360551983667876, 0.40217650944500816,
)  # fmt: skip
# sqrt(x) exp(-x) I1(x)
I1E = (
    -3.8283098239014647e-11, 1.513858549435606e-10, 2.8795297002473246e-10, -1.0032283190965858e-09,
    -1.1153074851895528e-09, 3.0582654028044287e-09, 3.158127700170617e-09, -5.508409408958088e-09,
    -7.500258824785232e-09, 4.7942444927275885e-09, 1.3986230294575344e-08, 7.118573210000024e-09,
    -8.417810881556892e-09, -2.3453111618217135e-08, -4.3130341641824356e-08,
    -1.0000323944983054e-07, -3.483855125273481e-07, -1.8349107416211804e-06,
    -1.5038547201402334e-05, -0.0002192357638187367, -0.009749577193235751, 0.3893984590258723,
)  # fmt: skip
# numerator and denominator of a first value of the normal quantile, M. Abramowitz and I. A. Stegun,
# "Handbook of Mathematical Functions" (1964), 26.2.23; its error is below 5e-4
QUANTILE_OVER = (0.010328, 0.802853, 2.515517)
QUANTILE_UNDER = (0.001308, 0.189269, 1.432788, 1.0)

SQRT_HALF = 0.7071067811865476
SQRT_TWO_OVER_PI = 0.7978845608028654
STIRLING = 0.4189385332046727  # log(2 pi) / 2 - 1 / 2

# a longer loop would not be unrolled
_ERFCX_ODD, _ERFCX_EVEN = ERFCX[0::2], ERFCX[1::2]
_I0E_ODD, _I0E_EVEN = I0E[0::2], I0E[1::2]
_I1E_ODD, _I1E_EVEN = I1E[0::2], I1E[1::2]
_HIGH_HALF = np.uint64(0xFFFFFFFFF8000000)  # sign, exponent and 25 bits of the mantissa


@pure
def _scaled_erfc(x: float) -> float:
    """Return exp(x^2) erfc(x) for x >= 0."""
    t = 1.0 - 8.0 / (x + 4.0)
    z = t * t
    return (t * horner(z, _ERFCX_ODD) + horner(z, _ERFCX_EVEN)) / (1.0 + 2.0 * x)


@pure
def _gauss(x: float, c: float) -> float:
    """Return exp(-c x^2), x >= 0, without the error of x^2 that a large exponent magnifies."""
    x = select(x > 40.0, 40.0, x)
    high = from_bits(bits(x) & _HIGH_HALF)  # its square is exact
    d = -c * ((x - high) * (x + high))  # below 1e-4
    return exp(-c * (high * high)) * (1.0 + d * (1.0 + d * (0.5 + d * (1.0 / 6.0))))


@pure
def erfc(x: float) -> float:
    """Return 1 - erf(x)."""
    tail = _gauss(abs(x), 1.0) * _scaled_erfc(abs(x))
    return select(x < 0.0, 2.0 - tail, tail)


@pure
def erf(x: float) -> float:
    """Return the error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to `x`."""
    small = x * horner(x * x, ERF)
    large = 1.0 - erfc(abs(x))
    return select(abs(x) < 1.0, small, select(x < 0.0, -large, large))


@pure
def erfcx(x: float) -> float:
    """Return exp(x^2) erfc(x): infinity below -26.7."""
    scaled = _scaled_erfc(abs(x))
    return select(x < 0.0, 2.0 * _gauss(abs(x), -1.0) - scaled, scaled)


@pure
def log_ndtr(x: float) -> float:
    """Return the log of the normal distribution function."""
    a = abs(x)
    scaled = 0.5 * _scaled_erfc(a * SQRT_HALF)
    upper = _gauss(a, 0.5) * scaled
    u = 1.0 - upper
    rest = (1.0 - u) - upper  # u + rest is 1 - upper without error
    u = select(x < 0.0, scaled, u)
    rest = select(x < 0.0, 0.0, rest)
    k, m, scale = split(u)
    y = log_of_split(k, (m - 1.0) + rest * scale)
    return select(x < 0.0, y - 0.5 * a * a, y)


@pure
def lgamma(x: float) -> float:
    """Return log(gamma(x)) for x >= 0: infinity at 0 and negative integers, else NaN below 0."""
    small = x < 8.0
    product = x * (x + 1.0) * (x + 2.0) * (x + 3.0)
    product = product * ((x + 4.0) * (x + 5.0) * (x + 6.0) * (x + 7.0))
    y = select(small, x + 8.0, x)
    w = 1.0 / y
    value = (y - 0.5) * (log(y) - 1.0) + (STIRLING + w * horner(w * w, LGAMMA))
    value = value - log(select(small, product, 1.0))
    return select(x >= 0.0, value, select(floor(x) == x, np.inf, np.nan))


@pure
def digamma(x: float) -> float:
    """Return the derivative of log(gamma(x)) for x >= 0: minus infinity at 0, NaN below."""
    over, under = 1.0, x  # the sum of 1 / (x + i), i < 8, as one fraction
    for i in range(1, 8):
        over = over * (x + i) + under
        under = under * (x + i)
    small = x < 8.0
    y = select(small, x + 8.0, x)
    w = 1.0 / y
    z = w * w
    value = log(y) - (0.5 * w + z * horner(z, DIGAMMA))
    value = select(small, value - over / under, value)
    return select(x >= 0.0, value, np.nan)


@pure
def trigamma(x: float) -> float:
    """Return the second derivative of log(gamma(x)) for x >= 0: infinity at 0, NaN below."""
    over, under = 1.0, x * x  # the sum of 1 / (x + i)^2, i < 8, as one fraction
    for i in range(1, 8):
        square = (x + i) * (x + i)
        over = over * square + under
        under = under * square
    small = x < 8.0
    y = select(small, x + 8.0, x)
    w = 1.0 / y
    z = w * w
    value = w + z * (0.5 + w * horner(z, TRIGAMMA))
    value = select(small, value + over / under, value)
    return select(x >= 0.0, value, np.nan)


@pure
def i0e(x: float) -> float:
    """Return exp(-|x|) I0(x), the scaled modified Bessel function of order 0."""
    a = abs(x)
    half = 0.5 * select(a < 8.0, a, 8.0)
    small = exp(-a) * horner(half * half, I0)
    y = select(a < 8.0, 8.0, a)
    t = 16.0 / y - 1.0
    z = t * t
    large = (t * horner(z, _I0E_ODD) + horner(z, _I0E_EVEN)) / sqrt(y)
    return select(a < 8.0, small, large)


@pure
def i1e(x: float) -> float:
    """Return exp(-|x|) I1(x), the scaled modified Bessel function of order 1."""
    a = abs(x)
    half = 0.5 * select(a < 8.0, a, 8.0)
    small = exp(-a) * (half * horner(half * half, I1))
    y = select(a < 8.0, 8.0, a)
    t = 16.0 / y - 1.0
    z = t * t
    large = (t * horner(z, _I1E_ODD) + horner(z, _I1E_EVEN)) / sqrt(y)
    value = select(a < 8.0, small, large)
    return select(x < 0.0, -value, value)


@pure
def probit(p: float) -> float:
    """Return the value below which the standard normal lies with probability `p`.

    Halley's method on the logarithm of the distribution function, two steps from a value that is
    near; in the middle one step of Newton's on the error function, whose digits near 0 are exact.
    """
    q = select(p > 0.5, 1.0 - p, p)
    t = sqrt(-2.0 * log(select(q > 0.0, q, 0.5)))
    x = horner(t, QUANTILE_OVER) / horner(t, QUANTILE_UNDER) - t
    for _ in range(2):
        hazard = SQRT_TWO_OVER_PI / erfcx(-x * SQRT_HALF)
        step = (log_ndtr(x) - log(q)) / hazard
        x = x - step / (1.0 + 0.5 * step * (x + hazard))
    density = 0.5 * SQRT_TWO_OVER_PI * exp(-0.5 * x * x)
    middle = x - (0.5 * erf(x * SQRT_HALF) - (q - 0.5)) / density
    x = select(x > -1.0, middle, x)
    x = select(p > 0.5, -x, x)
    x = select(p == 0.0, -np.inf, select(p == 1.0, np.inf, x))
    return select((p >= 0.0) & (p <= 1.0), x, np.nan)
