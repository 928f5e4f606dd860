"""Paths of stochastic differential equations, by the steps of Euler and Maruyama.

A step of length dt from x is ``Normal(x + f(x) * dt, g(x) * sqrt(dt))`` (Kloeden and Platen 1992,
"Numerical Solution of Stochastic Differential Equations", section 9.1).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.expressions.axes import Shape, broadcast
from exmc_dask.dist.base import FORMULAS, Dist, Family, Function, Param, as_argument, row
from exmc_dask.dist.custom import apply
from exmc_dask.dist.drawing import draw
from exmc_dask.dist.law import logp
from exmc_dask.dist.real import Normal
from exmc_dask.errors import ModelError, OptionError, UnknownName
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.graph import topological
from exmc_dask.expressions.arrays import Inline
from exmc_dask.expressions.ir import Node, as_float, const, make
from exmc_dask.expressions.ops import FLOAT, Op

OPTIONS = ("dt", "sde_fn", "sde_pars", "init_dist")
INIT_DIST = Param("init_dist", domain="dist", optional=True)
START = Normal.dist(0.0, 100.0)


@dataclass(frozen=True)
class Diffusion(Family):
    """The row of `EulerMaruyama`, which takes an equation as a function."""

    def bind(self, label: str, args: tuple[Any, ...], given: Mapping[str, Any]) -> Dist:
        """Make the formula of a path from that of a step; a model traces it."""
        found = dict(zip(OPTIONS, args, strict=False)) | dict(given)
        unknown = found.keys() - set(OPTIONS)
        if unknown or len(args) > len(OPTIONS) or set(OPTIONS[: len(args)]) & given.keys():
            raise OptionError(f"{label}: EulerMaruyama takes {', '.join(OPTIONS)}, each once")
        for name in ("dt", "sde_fn"):
            if name not in found:
                raise OptionError(f"{label}: EulerMaruyama needs {name}")
        step = found["sde_fn"]
        if not callable(step):
            raise OptionError(f"{label}: sde_fn is {step!r}, not a function (x, *sde_pars)")
        pars = found.get("sde_pars") or ()
        names = [Param("dt", domain="positive")]
        names += [Param(f"arg{i}") for i in range(1, len(pars) + 1)]
        values = (found["dt"], *pars)
        params = [
            (p.name, as_argument(f"{label}: {p.name}", p, value))
            for p, value in zip(names, values, strict=True)
        ]
        start: Any = START
        if found.get("init_dist") is not None:
            start = as_argument(f"{label}: init_dist", INIT_DIST, found["init_dist"])
            params.append(("init_dist", start))
        calls = [("logp", _steps(step)), ("draw", _path(step, start))]
        return Dist(self.name, (*params, *((key, Function(call)) for key, call in calls)))


def _steps(step: Callable[..., Any]) -> Callable[..., Node]:
    """Log-density of the steps of a path."""

    def formula(x: Node, dt: Node, *pars: Node) -> Node:
        before = x[..., :-1]
        drift, spread = step(before, *pars)
        steps = Normal.logp(x[..., 1:], before + drift * dt, spread * math.sqrt(dt))
        return math.sum(steps, axis=-1)

    return formula


def _path(step: Callable[..., Any], start: Dist) -> Callable[..., np.ndarray]:
    """Draws of paths; the equation is traced for one step and calculated step by step."""

    def drawn(rng: np.random.Generator, shape: tuple[int, ...], dt: Any, *pars: Any) -> np.ndarray:
        x = make(Op.VAR, (), "x", (), FLOAT)
        leaves = [make(Op.VAR, (), f"arg{i}", (), FLOAT) for i in range(len(pars))]
        roots = [as_float(part) for part in step(x, *leaves)]
        given = dict(zip(leaves, pars, strict=True))
        path = rng.normal(size=shape)
        path[..., 0] = draw(start, rng, shape[:-1], _numbers)
        for t in range(1, shape[-1]):
            before = path[..., t - 1]
            drift, spread = evaluate(roots, {x: before, **given})
            path[..., t] = before + drift * dt + spread * np.sqrt(dt) * path[..., t]
        return path

    return drawn


def _numbers(node: Node) -> np.ndarray:
    """Numbers of a parameter of the first value, which has to be given as such."""
    leaves = [leaf for leaf in topological([node]) if leaf.op is Op.DATA]
    try:
        arrays = {x: x.arg.array for x in leaves if isinstance(x.arg, Inline)}
        return evaluate([node], arrays)[0]
    except UnknownName as error:
        raise ModelError(
            f"a path cannot be drawn whose init_dist depends on the model: {error}; give numbers"
        ) from None


def _whole(x: Node, init_dist: Dist | None, steps: Node) -> Node:
    return logp(init_dist or START, x[..., 0]) + apply(x, steps)


def _shape(dist: Dist) -> Shape:
    given = [a.shape for name, a in dist.params if isinstance(a, Node) and name not in FORMULAS]
    return (*broadcast((), *given), 1)


EulerMaruyama = row(
    Diffusion(
        name="EulerMaruyama",
        doc="EulerMaruyama(dt, sde_fn, sde_pars=None, init_dist=None): a path in steps of `dt` of "
        "``dx = f dt + g dW``, where ``sde_fn(x, *sde_pars)`` returns f and g. It is called once, "
        "with expressions. The first value has distribution `init_dist`, Normal(0, 100). Paths "
        "are drawn only in the process that declares the model.",
        params=(INIT_DIST, Param("logp")),
        logp=lambda x, init_dist, logp: _whole(x, init_dist, logp),
        draw=None,
        support_point=lambda init_dist, logp: const(0.0),
        event_ndim=1,
        shape_of=_shape,
    )
)
