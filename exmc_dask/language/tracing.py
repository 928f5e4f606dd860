"""Functions of the user, called once with expressions, so that what they calculate can travel."""

import inspect
from collections.abc import Callable
from typing import Any

from exmc_dask.dist.base import FORMULAS, Dist, Function, Place, placeholder
from exmc_dask.errors import TraceError
from exmc_dask.expressions.axes import Shape
from exmc_dask.expressions.ir import Node, as_float, as_node
from exmc_dask.language.slots import Slots

TRACED_LATER = frozenset({*FORMULAS, "draw"})  # functions of Custom, which take values, not names


def traced(label: str, call: Callable[..., Any], operands: list[Node]) -> Node:
    """Call a user's function with expressions and return the expression it gives.

    Raises
    ------
    TraceError
        The function failed, or returned something else; names what it stumbled over.
    """
    try:
        return as_float(call(*operands))
    except Exception as error:  # whatever the user's function raises
        raise TraceError(
            f"{label} could not be turned into an expression: {error or type(error).__name__}."
            f"{_strangers(call)} Use Python operators, indexing and ed.math in it; "
            f"{getattr(call, '__name__', call)!r} runs once, with expressions instead of numbers"
        ) from error


def _strangers(call: Callable[..., Any]) -> str:
    """Sentence about the objects from outside a function that no expression can hold."""
    try:
        outside = inspect.getclosurevars(call)
    except TypeError:  # not written in Python
        return ""
    found = [
        f"'{name}' (a {type(value).__name__})"
        for name, value in {**outside.globals, **outside.nonlocals}.items()
        if not callable(value) and not inspect.ismodule(value) and not _is_expression(value)
    ]
    return f" It uses {', '.join(found)}, which no expression can hold." if found else ""


def _is_expression(value: Any) -> bool:
    try:
        as_node(value)
    except Exception:  # whatever a stranger raises when it is asked for its numbers
        return False
    return True


def with_formulas(slots: Slots, owner: str, dist: Dist, shape: Shape) -> Dist:
    """Trace the functions in `dist` for values of `shape`; in wrapped distributions, of scalars."""
    operands = [a for _, a in dist.params if isinstance(a, Node)]
    params: list[tuple[str, Any]] = []
    for name, argument in dist.params:
        match argument:
            case Function(call) if name in FORMULAS:
                what = f"'{owner}': the {name} of {dist.family}"
                formula = traced(what, call, [placeholder(shape), *operands])
                params.append((name, slots.claim(owner, name, formula)))
            case Function():
                pass  # draws stay with the process that declares, see Model.draws
            case Dist():
                params.append((name, with_formulas(slots, owner, argument, ())))
            case tuple():
                parts = tuple(with_formulas(slots, owner, part, ()) for part in argument)
                params.append((name, parts))
            case _:
                params.append((name, argument))
    return Dist(dist.family, tuple(params))


def draws_of(dist: Dist) -> dict[Place, Callable[..., Any]]:
    """Functions by which the user draws `Custom` distributions, at their places in `dist`."""
    own = dist.get("draw")
    found: dict[Place, Callable[..., Any]] = {(): own.call} if isinstance(own, Function) else {}
    for at, part in dist.inner():
        found |= {(*at, *below): call for below, call in draws_of(part).items()}
    return found
