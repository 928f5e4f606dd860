"""Ordinary differential equations, solved inside of the model by fixed Runge-Kutta steps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from exmc_dask.errors import ModelError, OptionError, ShapeError, TraceError
from exmc_dask.expressions.axes import is_static, show, static_size
from exmc_dask.expressions.ir import Node, as_float, make
from exmc_dask.expressions.ops import Op
from exmc_dask.math.arrange import concatenate, expand_dims, stack
from exmc_dask.math.elementwise import abs, maximum
from exmc_dask.math.reductions import diff, max
from exmc_dask.math.scan import fixed, scan

FEW = 16  # elements of a y that are calculated one by one, without an array between two stages


@dataclass(frozen=True)
class Tableau:
    """Coefficients of an explicit Runge-Kutta method (Hairer, Norsett and Wanner 1993, II.1).

    Attributes
    ----------
    times : tuple of float
        Place of each stage in the step, in lengths of the step.
    stages : tuple of tuple of float
        Weights of the earlier slopes in each stage.
    weights : tuple of float
        Of the slopes in the step.
    differences : tuple of float
        Of the slopes, that at the end of the step last, in the difference to an embedded method of
        lower order; empty where there is none.
    """

    times: tuple[float, ...]
    stages: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]
    differences: tuple[float, ...] = ()


METHODS: Mapping[str, Tableau] = {
    # Kutta (1901); Hairer, Norsett and Wanner, table II.1.2, left
    "rk4": Tableau(
        times=(0.0, 0.5, 0.5, 1.0),
        stages=((), (0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)),
        weights=(1 / 6, 1 / 3, 1 / 3, 1 / 6),
    ),
    # Dormand and Prince (1980); Hairer, Norsett and Wanner, table II.5.2
    "dopri5": Tableau(
        times=(0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0),
        stages=(
            (),
            (1 / 5,),
            (3 / 40, 9 / 40),
            (44 / 45, -56 / 15, 32 / 9),
            (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
            (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
        ),
        weights=(35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
        differences=(
            71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40,
        ),
    ),
}  # fmt: skip


def odeint(
    rhs: Callable[..., Any],
    y0: Any,
    ts: Any,
    theta: Any = None,
    *,
    method: str = "rk4",
    substeps: int = 1,
    error: bool = False,
) -> Any:
    """Solve ``dy/dt = rhs(y, t, theta)`` from ``y(ts[0]) = y0``.

    Parameters
    ----------
    rhs : function (y, t, theta) -> derivative of y
        Of a vector `y`, a scalar `t`, and `theta` as it was given; without `theta` it is called
        with ``(y, t)``. Returns a vector or a list of as many scalars as there are in `y`. It may
        use every expression of the model; called a few times, with expressions.
    y0 : (n,) array or expression, or list of scalars
        At the first time.
    ts : (T,) array or expression
        Times, rising or falling. An interval between two of them may have any length.
    theta : any, optional
        Handed on to `rhs`.
    method : "rk4" or "dopri5"
        Runge and Kutta's method of order 4 with four slopes a step, or Dormand and Prince's of
        order 5 with six.
    substeps : int
        Equal steps in each interval. Twice as many make the error of a solution 16 or 32 times
        smaller.
    error : bool
        Whether to estimate the error; only "dopri5" can. A seventh slope a step.

    Returns
    -------
    y : (T, n) expression
        Its first row is `y0`.
    error : expression, scalar
        With ``error=True``: largest absolute difference of any step to that of a method of
        order 4, a bound on what one step loses. Keep it with ``ed.Deterministic("ode_error", ...)``
        and raise `substeps` until it is small beside the noise of the data.

    Raises
    ------
    OptionError, ShapeError, TraceError
        An unknown method, shapes that do not fit, or a `rhs` that is not made of expressions.

    Notes
    -----
    Derivatives are those of the steps themselves (the discrete adjoint), so they are exact for the
    solution that is returned. The steps are fixed: a stiff equation needs many.
    """
    if method not in METHODS:
        raise OptionError(f"odeint: method is one of {', '.join(METHODS)}, not {method!r}")
    if isinstance(substeps, bool) or not isinstance(substeps, int) or substeps < 1:
        raise OptionError(f"odeint: substeps is a whole number from 1 on, not {substeps!r}")
    tableau = METHODS[method]
    if error and not tableau.differences:
        able = ", ".join(name for name, row in METHODS.items() if row.differences)
        raise OptionError(f"odeint: method {method!r} estimates no error; {able} does")
    start, times = _state(y0), as_float(ts)
    if times.ndim != 1:
        raise ShapeError(f"odeint: ts is a vector of times, not of shape {show(times.shape)}")
    equation = _Equation(rhs, theta, static_size(start.shape))
    rows = (times[:-1], diff(times) / float(substeps))

    def advance(y: Node, t: Node, h: Node) -> tuple[Node, None]:
        return _step(equation, tableau, y, t, h)[0], None

    def watched(carry: tuple[Node, Node], t: Node, h: Node) -> tuple[tuple[Node, Node], None]:
        y, worst = carry
        new, slopes = _step(equation, tableau, y, t, h)
        lost = h * _sum(tableau.differences, [*slopes, equation(new, t + h)])
        return (new, maximum(worst, max(abs(lost)))), None

    _, path = scan(_interval(advance, substeps, lambda y: y), start, rows)
    solution = concatenate([expand_dims(start, 0), path])
    if not error:
        return solution
    # apart, so that the density and its derivative do not pay for it
    (_, worst), _ = scan(_interval(watched, substeps, lambda _: None), (start, 0.0), rows)
    return solution, worst


def _interval(
    step: Callable[..., Any], substeps: int, kept: Callable[[Any], Any]
) -> Callable[..., Any]:
    """Step of the scan over intervals: one step of the method, or a scan over several."""

    def interval(carry: Any, row: tuple[Node, Node]) -> tuple[Any, Any]:
        t, h = row
        if substeps == 1:
            new, _ = step(carry, t, h)
        else:
            places = make(Op.RANGE, (), substeps)
            new, _ = scan(lambda c, k: step(c, t + h * as_float(k), h), carry, places)
        return new, kept(new)

    return interval


def _state(y0: Any) -> Node:
    y = as_float(stack(y0)) if isinstance(y0, list | tuple) else fixed(y0)
    if y.ndim != 1 or not is_static(y.shape):
        raise ShapeError(
            f"odeint: y0 is a vector of fixed length, not of shape {show(y.shape)}; give a list of "
            "numbers and expressions"
        )
    return y


@dataclass(frozen=True)
class _Equation:
    """Right side of an equation, whose results are looked at."""

    rhs: Callable[..., Any]
    theta: Any
    n: int

    def __call__(self, y: Node, t: Node) -> Node:
        name = getattr(self.rhs, "__name__", repr(self.rhs))
        try:
            slope = self.rhs(y, t) if self.theta is None else self.rhs(y, t, self.theta)
            slope = as_float(stack(slope) if isinstance(slope, list | tuple) else slope)
        except (ModelError, TypeError, ValueError, AttributeError) as error:
            raise TraceError(
                f"odeint: {name} could not be turned into an expression: {error}. Use Python "
                "operators, indexing and ed.math in it"
            ) from error
        if slope.shape != (self.n,):
            raise TraceError(
                f"odeint: {name} returns shape {show(slope.shape)} for a y of shape ({self.n},); "
                "return one slope for each element of y"
            )
        return slope


def _step(
    equation: _Equation, tableau: Tableau, y: Node, t: Node, h: Node
) -> tuple[Node, list[Node]]:
    """Return y after one step of length `h`, and the slopes on the way."""
    if equation.n <= FEW:
        y = stack([y[i] for i in range(equation.n)])
    slopes: list[Node] = []
    for place, stage in zip(tableau.times, tableau.stages, strict=True):
        at = y + h * _sum(stage, slopes) if slopes else y
        slopes.append(equation(at, t + place * h))
    return y + h * _sum(tableau.weights, slopes), slopes


def _sum(weights: tuple[float, ...], slopes: list[Node]) -> Node:
    terms = [weight * slope for weight, slope in zip(weights, slopes, strict=True) if weight]
    return sum(terms[1:], start=terms[0])
