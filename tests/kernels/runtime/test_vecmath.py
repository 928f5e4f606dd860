"""The functions of kernels: as accurate as they say, at the edges too, and on vector registers."""

import re
from collections.abc import Callable
from functools import cache
from itertools import chain
from types import ModuleType
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from numba import njit

from exmc_dask.kernels import build

type Array = np.ndarray[Any, np.dtype[np.float64]]

INF, NAN = np.inf, np.nan
TINY = 5e-324  # the smallest positive number
VECTORS = re.compile(r"<\d+ x double>")

UNIT = np.linspace(-1, 1, 201)
NEAR_ZERO = np.array([s * 10.0**e for e in range(-300, -1, 3) for s in (1, -1.3)])
POSITIVE = np.array([s * 10.0**e for e in range(-300, 300, 3) for s in (1, 1.37)])
SUBNORMAL = np.array([TINY, 1e-322, 3.3e-318, 2e-310, 2.2250738585072e-308])
ANGLES = np.concatenate(
    [np.linspace(-10, 10, 300), np.linspace(-1e6, 1e6, 301), np.arange(1, 60000, 397) * np.pi / 2]
)

# name -> (the function in mpmath, where it must be within 2 units in the last place)
EXACT: dict[str, tuple[Callable[[Any], Any], Array]] = {
    "exp": (mp.exp, np.concatenate([UNIT, NEAR_ZERO, np.linspace(-745, 709.7, 400)])),
    "log": (mp.log, np.concatenate([POSITIVE, SUBNORMAL, np.linspace(0.4, 2.5, 301)])),
    "log1p": (mp.log1p, np.concatenate([UNIT[1:], NEAR_ZERO, SUBNORMAL, POSITIVE])),
    "expm1": (mp.expm1, np.concatenate([UNIT, NEAR_ZERO, np.linspace(-60, 709.7, 400)])),
    "tanh": (mp.tanh, np.concatenate([UNIT, NEAR_ZERO, np.linspace(-25, 25, 300)])),
    "sigmoid": (
        lambda x: 1 / (1 + mp.exp(-x)),
        np.concatenate([UNIT, NEAR_ZERO, np.linspace(-745, 60, 400)]),
    ),
    "softplus": (
        lambda x: mp.log1p(mp.exp(x)),
        np.concatenate([UNIT, NEAR_ZERO, np.linspace(-745, 60, 400), POSITIVE]),
    ),
    "logit": (
        lambda p: mp.log(p / (1 - p)),
        np.concatenate([np.linspace(0.01, 0.99, 301), POSITIVE[:190], 1 - POSITIVE[190:199]]),
    ),
    "arctan": (mp.atan, np.concatenate([UNIT, NEAR_ZERO, SUBNORMAL, POSITIVE, -POSITIVE])),
    "sin": (mp.sin, np.concatenate([ANGLES, NEAR_ZERO])),
    "cos": (mp.cos, np.concatenate([ANGLES, NEAR_ZERO])),
}


def normal_quantile(p: Any) -> Any:
    if p > 0.25:
        return mp.sqrt(2) * mp.erfinv(2 * p - 1)
    start = -mp.sqrt(-2 * mp.log(p)) if p < 1e-3 else -2
    return mp.findroot(lambda x: mp.log(mp.erfc(-x / mp.sqrt(2)) / 2 / p), start)


# name -> (the function in mpmath, where it must be within 1e-14 max(1, |f|))
CLOSE: dict[str, tuple[Callable[[Any], Any], Array]] = {
    "tan": (mp.tan, ANGLES[:300]),
    "erf": (mp.erf, np.linspace(-7, 7, 301)),
    "lgamma": (mp.loggamma, np.concatenate([np.linspace(0.01, 20, 400), POSITIVE, SUBNORMAL])),
    "digamma": (mp.digamma, np.concatenate([np.linspace(0.01, 20, 400), POSITIVE])),
    "probit": (
        normal_quantile,
        np.concatenate([np.linspace(0.001, 0.999, 301), POSITIVE[:190], 1 - POSITIVE[190:199]]),
    ),
    "trigamma": (
        lambda x: mp.psi(1, x),
        np.concatenate([np.linspace(0.01, 20, 400), POSITIVE[100:300]]),
    ),
}
# name -> (the function in mpmath, where it must be within 2e-15 |f|)
TAILS: dict[str, tuple[Callable[[Any], Any], Array]] = {
    "erf": (mp.erf, NEAR_ZERO),
    "erfc": (mp.erfc, np.concatenate([NEAR_ZERO, np.linspace(-7, 26.5, 400)])),
    "erfcx": (
        lambda x: mp.exp(x * x) * mp.erfc(x),
        np.concatenate([NEAR_ZERO, np.linspace(-26, 50, 400), np.geomspace(50, 1e8, 50)]),
    ),
    "log_ndtr": (
        lambda x: (
            mp.log(mp.erfc(-x / mp.sqrt(2)) / 2)
            if x < 0
            else mp.log1p(-mp.erfc(x / mp.sqrt(2)) / 2)
        ),
        np.concatenate([NEAR_ZERO, np.linspace(-40, 37.5, 400), -np.geomspace(40, 1e4, 20)]),
    ),
    "trigamma": (lambda x: mp.psi(1, x), POSITIVE[300:]),
    "probit": (normal_quantile, 0.5 + NEAR_ZERO[192:]),
    "i0e": (
        lambda x: mp.exp(-abs(x)) * mp.besseli(0, x),
        np.concatenate([NEAR_ZERO, np.linspace(-30, 30, 300), POSITIVE]),
    ),
    "i1e": (
        lambda x: mp.exp(-abs(x)) * mp.besseli(1, x),
        np.concatenate([NEAR_ZERO, np.linspace(-30, 30, 300), POSITIVE]),
    ),
}

EDGES = [
    ("exp", {-INF: 0.0, INF: INF, 710.0: INF, -746.0: 0.0, -745.0: TINY, 0.0: 1.0, -1e308: 0.0}),
    ("log", {0.0: -INF, INF: INF, -1.0: NAN, -INF: NAN, 1.0: 0.0, -TINY: NAN}),
    ("log1p", {-1.0: -INF, INF: INF, -1.5: NAN, -INF: NAN, 0.0: 0.0, 1.7e308: 709.7268368932282}),
    ("expm1", {-INF: -1.0, INF: INF, 710.0: INF, 0.0: 0.0, -1e308: -1.0}),
    ("arctan", {-INF: -np.pi / 2, INF: np.pi / 2, 0.0: 0.0, 1.0: np.pi / 4, 1e308: np.pi / 2}),
    ("tanh", {-INF: -1.0, INF: 1.0, 0.0: 0.0, 1e308: 1.0, TINY: TINY}),
    ("sigmoid", {-INF: 0.0, INF: 1.0, 0.0: 0.5, 800.0: 1.0}),
    ("softplus", {-INF: 0.0, INF: INF, 1e308: 1e308, -800.0: 0.0}),
    ("logit", {0.0: -INF, 1.0: INF, 0.5: 0.0, -0.1: NAN, 1.1: NAN}),
    ("sin", {0.0: 0.0, INF: NAN, -INF: NAN, 1e300: NAN, TINY: TINY}),
    ("cos", {0.0: 1.0, INF: NAN, -INF: NAN, 1e300: NAN}),
    ("tan", {0.0: 0.0, INF: NAN}),
    ("sign", {-INF: -1.0, INF: 1.0, 0.0: 0.0, -TINY: -1.0, 3.0: 1.0}),
    ("floor", {-0.5: -1.0, 1.5: 1.0, -INF: -INF, INF: INF, 1e300: 1e300}),
    ("erf", {-INF: -1.0, INF: 1.0, 0.0: 0.0, 1e308: 1.0, -1e308: -1.0}),
    ("erfc", {-INF: 2.0, INF: 0.0, 0.0: 1.0, 1e308: 0.0, -1e308: 2.0}),
    ("erfcx", {-INF: INF, INF: 0.0, 0.0: 1.0, -27.0: INF, 1e308: 0.0}),
    ("log_ndtr", {-INF: -INF, INF: 0.0, 1e308: 0.0, -1e200: -INF}),
    ("lgamma", {0.0: INF, -3.0: INF, -0.5: NAN, INF: INF, -INF: INF, 1e306: 7.0359e308}),
    ("digamma", {0.0: -INF, -0.5: NAN, INF: INF, -INF: NAN}),
    ("trigamma", {0.0: INF, -0.5: NAN, INF: 0.0, -INF: NAN}),
    ("probit", {0.0: -INF, 1.0: INF, 0.5: 0.0, -0.1: NAN, 1.1: NAN, TINY: -38.46740561714435}),
    ("i0e", {0.0: 1.0, INF: 0.0, -INF: 0.0, TINY: 1.0}),
    ("i1e", {0.0: 0.0, INF: 0.0, -INF: 0.0}),
]
FUNCTIONS = [name for name, _ in EDGES]

POWERS = [
    (2.0, 3.0, 8.0), (2.0, -0.5, 0.5**0.5), (-2.0, 3.0, -8.0), (-2.0, 2.0, 4.0), (-2.0, 0.5, NAN),
    (0.0, 2.0, 0.0), (0.0, -1.0, INF), (0.0, 0.0, 1.0), (NAN, 0.0, 1.0), (NAN, 1.0, NAN),
    (1.0, NAN, NAN), (INF, 2.0, INF), (INF, -2.0, 0.0), (10.0, 400.0, INF), (-2.0, NAN, NAN),
    (1e-300, 1.05, 1e-315), (-3.0, 1e17, INF),
]  # fmt: skip


def function(name: str, package: ModuleType | None = None) -> Any:
    elementary = build.runtime_module("vecmath", package)
    return getattr(elementary, name, None) or getattr(
        build.runtime_module("special", package), name
    )


def loop_over(f: Any) -> Any:
    @njit("void(f8[::1], f8[::1])", error_model="numpy")
    def loop(x: Array, y: Array) -> None:
        for i in range(x.size):
            y[i] = f(x[i])

    return loop


@cache
def loop(name: str) -> Any:
    return loop_over(function(name))


def values(loop: Any, x: Array) -> Array:
    y = np.empty_like(x)
    loop(x, y)
    return y


def errors(y: Array, truth: Callable[[Any], Any], x: Array) -> list[tuple[Any, Any]]:
    """Return a list of (absolute error, true value) without those that overflow."""
    with mp.workdps(60):
        expected = [mp.re(truth(mp.mpf(float(point)))) for point in x]
        return [
            (abs(mp.mpf(float(value)) - e), e)
            for value, e in zip(y, expected, strict=True)
            if abs(e) < np.finfo(float).max
        ]


def worst_ulp(y: Array, truth: Callable[[Any], Any], x: Array) -> float:
    return max(float(error / np.spacing(float(abs(e)))) for error, e in errors(y, truth, x))


@pytest.mark.parametrize("name", EXACT)
def test_elementary_functions_are_within_two_ulp(name: str) -> None:
    truth, x = EXACT[name]
    assert worst_ulp(values(loop(name), x), truth, x) <= 2.0


@pytest.mark.parametrize("name", CLOSE)
def test_special_functions_are_within_1e_14(name: str) -> None:
    truth, x = CLOSE[name]
    found = errors(values(loop(name), x), truth, x)
    assert max(float(error / max(1, abs(e))) for error, e in found) <= 1e-14


@pytest.mark.parametrize("name", TAILS)
def test_tails_are_accurate_relative_to_their_size(name: str) -> None:
    truth, x = TAILS[name]
    found = errors(values(loop(name), x), truth, x)
    assert max(float(error / abs(e)) for error, e in found) <= 2e-15


@pytest.mark.parametrize(("name", "expected"), EDGES, ids=FUNCTIONS)
def test_edges(name: str, expected: dict[float, float]) -> None:
    x = np.array([*expected, NAN])
    np.testing.assert_allclose(values(loop(name), x), [*expected.values(), NAN], rtol=1e-15)


def test_powers() -> None:
    pow = function("pow")

    @njit("void(f8[:, ::1], f8[::1])", error_model="numpy")
    def powers(xy: Array, out: Array) -> None:
        for i in range(out.size):
            out[i] = pow(xy[i, 0], xy[i, 1])

    table = np.array(POWERS)
    out = np.empty(len(table))
    powers(np.ascontiguousarray(table[:, :2]), out)
    np.testing.assert_allclose(out, table[:, 2], rtol=1e-13)


def test_the_larger_and_the_smaller_of_two() -> None:
    a, b = np.array([1.0, 2.0, NAN, 1.0]), np.array([2.0, 1.0, 1.0, NAN])
    for name, numpys in (("maximum", np.maximum), ("minimum", np.minimum)):
        f = function(name)
        found = [njit(lambda x, y, f=f: f(x, y))(x, y) for x, y in zip(a, b, strict=True)]
        np.testing.assert_array_equal(found, numpys(a, b))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_loop_over_a_function_runs_on_vectors(name: str) -> None:
    text = loop(name).inspect_llvm(loop(name).signatures[0])
    assert len(VECTORS.findall(text)) > 2
    assert not re.search(r"call double @(?!llvm)", text)


def test_functions_of_functions_run_on_vectors() -> None:
    log1p, exp, lgamma = map(function, ("log1p", "exp", "lgamma"))
    nested = loop_over(njit(forceinline=True)(lambda x: lgamma(exp(log1p(x)))))
    assert VECTORS.search(nested.inspect_llvm(nested.signatures[0]))


def test_sums_run_on_vectors_and_the_rest_keeps_its_order() -> None:
    accumulate, log1p = function("accumulate"), function("log1p")

    @njit("f8(f8[::1], f8[::1])", error_model="numpy", fastmath={"contract"})
    def sums(x: Array, y: Array) -> float:
        total, squares = 0.0, 0.0
        for i in range(x.size):
            total = accumulate(total, log1p(x[i]))
            squares = accumulate(squares, x[i] * x[i])
            y[i] = (1e16 + x[i]) - 1e16
        return total - squares

    x = np.linspace(0, 1, 1001)
    y = np.empty_like(x)
    assert sums(x, y) == pytest.approx(np.sum(np.log1p(x) - x * x), rel=1e-14)
    np.testing.assert_array_equal(y, (1e16 + x) - 1e16)
    assert re.search(r"fadd reassoc.*<\d+ x double>", sums.inspect_llvm(sums.signatures[0]))


def test_the_largest_is_found_on_vectors() -> None:
    maximum = function("maximum")

    @njit("f8(f8[::1])", error_model="numpy")
    def largest(x: Array) -> float:
        found = -np.inf
        for i in range(x.size):
            found = maximum(found, x[i])
        return found

    x = np.sin(np.arange(1000.0))
    assert largest(x) == x.max()
    x[501] = NAN
    assert np.isnan(largest(x))
    assert VECTORS.search(largest.inspect_llvm(largest.signatures[0]))


def of_root(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda z: f(mp.sqrt(z))


def of_inverse_root(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda z: f(1 / mp.sqrt(z))


def exp_rest(r: Any) -> Any:
    return mp.fsum(r**k / mp.factorial(k + 2) for k in range(40))


def erfc_carrier(t: Any) -> Any:
    if t == 1:
        return 2 / mp.sqrt(mp.pi)
    x = 4 * (1 + t) / (1 - t)
    return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)


def of_half_square(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda z: f(2 * mp.sqrt(z))


def scaled_bessel(order: int) -> Callable[[Any], Any]:
    def scaled(t: Any) -> Any:
        if t == -1:
            return 1 / mp.sqrt(2 * mp.pi)
        x = 16 / (t + 1)
        return mp.sqrt(x) * mp.exp(-x) * mp.besseli(order, x)

    return scaled


# name -> (fitted function, ends of its interval), as the comments in the sources say
FITS: dict[str, tuple[Callable[[Any], Any], Callable[[], tuple[Any, Any]]]] = {
    "EXP": (exp_rest, lambda: (-mp.log(2) / 2, mp.log(2) / 2)),
    "LOG": (
        of_root(lambda s: 2 * (mp.atanh(s) / s - 1) / s**2),
        lambda: (0, (3 - 2 * mp.sqrt(2)) ** 2),
    ),
    "ARCTAN": (
        of_root(lambda r: (mp.atan(r) - r) / r**3),
        lambda: (0, mp.tan(mp.pi / 8) ** 2),
    ),
    "TANH": (of_root(lambda x: (mp.tanh(x) - x) / x**3), lambda: (0, mp.mpf("0.625") ** 2)),
    "SIN": (of_root(lambda r: (mp.sin(r) - r) / r**3), lambda: (0, (mp.pi / 4) ** 2)),
    "COS": (of_root(lambda r: (mp.cos(r) - 1 + r**2 / 2) / r**4), lambda: (0, (mp.pi / 4) ** 2)),
    "ERF": (of_root(lambda x: mp.erf(x) / x), lambda: (0, 1)),
    "ERFCX": (erfc_carrier, lambda: (-1, 1)),
    "LGAMMA": (
        of_inverse_root(
            lambda x: (
                x * (mp.loggamma(x) - (x - 0.5) * (mp.log(x) - 1) + 0.5 - mp.log(2 * mp.pi) / 2)
            )
        ),
        lambda: (0, 1 / mp.mpf(64)),
    ),
    "DIGAMMA": (
        of_inverse_root(lambda x: x**2 * (mp.log(x) - 1 / (2 * x) - mp.digamma(x))),
        lambda: (0, 1 / mp.mpf(64)),
    ),
    "TRIGAMMA": (
        of_inverse_root(lambda x: x**3 * (mp.psi(1, x) - 1 / x - 1 / (2 * x**2))),
        lambda: (0, 1 / mp.mpf(64)),
    ),
    "I0": (of_half_square(lambda x: mp.besseli(0, x)), lambda: (0, 16)),
    "I1": (of_half_square(lambda x: 2 * mp.besseli(1, x) / x if x else 1), lambda: (0, 16)),
    "I0E": (scaled_bessel(0), lambda: (-1, 1)),
    "I1E": (scaled_bessel(1), lambda: (-1, 1)),
}


@pytest.mark.parametrize("name", FITS)
def test_coefficients_are_the_fit_that_they_claim_to_be(name: str) -> None:
    fitted, interval = FITS[name]
    coefficients = function(name)
    with mp.workdps(50):
        ends = [mp.mpf(end) for end in interval()]
        expected = mp.chebyfit(fitted, ends, len(coefficients), asc=True)
    np.testing.assert_allclose(coefficients[::-1], np.array(expected, float), rtol=1e-15)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('FAST = {"contract"}', 'FAST = {"contract", "nsz", "reassoc"}'),
        ("LN2_LO = 7.440617110012397e-11", "LN2_LO = 7.4406e-11"),
    ],
    ids=["reordering", "constant"],
)
def test_the_accuracy_test_notices_a_defect(mutant: Any, old: str, new: str) -> None:
    package = mutant("vecmath.py", old, new)
    worst = [
        worst_ulp(values(loop_over(function(name, package)), x), truth, x)
        for name, (truth, x) in EXACT.items()
        if name in {"exp", "log", "expm1", "log1p"}
    ]
    assert max(worst) > 2.0


def test_every_public_function_has_its_edges_tested() -> None:
    modules = [build.runtime_module(name) for name in ("vecmath", "special")]
    jitted = {
        name
        for name, value in chain.from_iterable(vars(module).items() for module in modules)
        if hasattr(value, "py_func") and not name.startswith("_")
    }
    assert jitted - set(FUNCTIONS) == {"accumulate", "horner", "log_of_split", "pow", "split"}
