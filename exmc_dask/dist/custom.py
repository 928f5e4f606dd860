"""A distribution by formulas of the user, which are traced once and travel as expressions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exmc_dask import math
from exmc_dask.expressions.axes import Shape, broadcast
from exmc_dask.dist.base import FORMULAS, VALUE, Dist, Family, Function, Param, as_argument, row
from exmc_dask.dist.domain import SUPPORTS
from exmc_dask.errors import OptionError
from exmc_dask.expressions.graph import rebuild, topological
from exmc_dask.expressions.ir import Node, broadcast_to, elementwise
from exmc_dask.expressions.ops import ELEMENTWISE, Op

OPTIONS = (*FORMULAS, "support", "draw")


@dataclass(frozen=True)
class Formula(Family):
    """The row of `Custom`, which takes its parameters by position and formulas by name."""

    def bind(self, label: str, args: tuple[Any, ...], given: Mapping[str, Any]) -> Dist:
        """Keep formulas and parameters until a model traces them."""
        unknown = given.keys() - set(OPTIONS)
        if unknown:
            raise OptionError(
                f"{label}: unknown option '{min(unknown)}'; Custom takes its parameters by "
                f"position, then {', '.join(f'{name}=' for name in OPTIONS)}"
            )
        kind = given.get("support", "real")
        if kind not in SUPPORTS:
            raise OptionError(f"{label}: support {kind!r} is none of {', '.join(SUPPORTS)}")
        functions = {
            key: given[key] for key in (*FORMULAS, "draw") if given.get(key) is not None
        }
        if "logp" not in functions:
            raise OptionError(f"{label}: Custom needs logp=, a function of value and parameters")
        if "logsf" in functions and "logcdf" not in functions:
            raise OptionError(f"{label}: Custom takes logsf= only beside logcdf=")
        for key, call in functions.items():
            if not callable(call):
                raise OptionError(f"{label}: {key} is {call!r}, not a function")
        names = [Param(f"arg{i}") for i in range(1, len(args) + 1)]
        params = [
            (p.name, as_argument(f"{label}: {p.name}", p, value))
            for p, value in zip(names, args, strict=True)
        ]
        calls = [(key, Function(call)) for key, call in functions.items()]
        return Dist(self.name, (*params, ("support", kind), *calls))


def apply(x: Node, formula: Node) -> Node:
    """Put the value into a traced formula; elementwise operations broadcast again."""

    def replaced(node: Node, src: tuple[Node, ...]) -> Node | None:
        if node.arg == VALUE:
            return x
        if node.op in ELEMENTWISE and src != node.src:
            return elementwise(node.op, *src)
        if node.op is Op.BROADCAST and src != node.src:
            return broadcast_to(src[0], broadcast(src[0].shape, node.arg))
        return None

    return rebuild([formula], replaced)[0]


def _upper_tail(x: Node, support: str, logp: Node, logcdf: Node, logsf: Node | None) -> Node:
    return math.log1mexp(apply(x, logcdf)) if logsf is None else apply(x, logsf)


def _event(dist: Dist) -> int:
    """Axes of the value that the formula reduced away: they have one log-density together."""
    formula = dist.get("logp")
    if not isinstance(formula, Node):
        return 0
    value = next((n for n in topological([formula]) if n.arg == VALUE), formula)
    return max(value.ndim - formula.ndim, 0)


def _shape(dist: Dist) -> Shape:
    if _event(dist):
        return ()  # what a formula for all elements together does with its parameters is its own
    operands = [a for name, a in dist.params if isinstance(a, Node) and name not in FORMULAS]
    return broadcast((), *(operand.shape for operand in operands))


Custom = row(
    Formula(
        name="Custom",
        doc="Custom(*params, logp=..., logcdf=None, logsf=None, support='real', draw=None): a "
        "log-density of the user, ``logp(value, *params)``, written with operators and ed.math, "
        "which returns one number an element or one for all. It is called once, with expressions, "
        "so the model travels without it. With ``logcdf(value, *params)``, and ``logsf`` where "
        "``1 - exp(logcdf)`` loses digits, it can be truncated, censored and drawn anywhere; "
        "``draw(rng, shape, *params)`` draws only in the process that declares the model.",
        params=(
            Param("support", domain="text"),
            Param("logp"),
            Param("logcdf", optional=True),
            Param("logsf", optional=True),
        ),
        logp=lambda x, support, logp, logcdf, logsf: apply(x, logp),
        draw=None,
        support_point=None,
        support=lambda support, logp, logcdf, logsf: SUPPORTS[support],
        event_of=_event,
        logcdf=lambda x, support, logp, logcdf, logsf: apply(x, logcdf),
        logsf=_upper_tail,
        shape_of=_shape,
    )
)
