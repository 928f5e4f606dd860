"""What a distribution says of values: log-density, support, shape, draws.

The formulas stand in the table ``FAMILIES``; here they are guarded, all in the same way, so that a
parameter outside its domain or a value outside the support gives log-density -inf with a gradient
that stays finite.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.expressions.axes import Shape, broadcast
from exmc_dask.dist.base import EVENT, FAMILIES, VALUE, Dist, Family, Param
from exmc_dask.dist.domain import DOMAINS, Support
from exmc_dask.errors import OptionError
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.graph import axes_of, leaves, topological
from exmc_dask.expressions.ir import Node, as_float, broadcast_to, const, make
from exmc_dask.expressions.ops import FLOAT, Op
from exmc_dask.transforms import Transform


def family_of(dist: Dist) -> Family:
    """Row of the table for `dist`."""
    return FAMILIES[dist.family]


def event_ndim(dist: Dist) -> int:
    """Count the trailing axes of a value that make one event, with one log-density."""
    family = family_of(dist)
    return family.event_ndim if family.event_of is None else family.event_of(dist)


def core_of(param: Param, dist: Dist) -> int:
    """Count the trailing axes of a parameter that belong to one event."""
    return event_ndim(dist) if param.core == EVENT else param.core


def logp(dist: Dist, value: Node, inside: bool = False) -> Node:
    """Log-density of every element of the batch.

    Parameters
    ----------
    dist : Dist
    value : Node
        Batch axes, then those of ``event_ndim(dist)``.
    inside : bool
        The caller knows that `value` lies in the support: it was made by the default transform, or
        is observed and ``is_checked(dist)``. Saves the comparison.

    Returns
    -------
    Node
        Shape of the batch, broadcast with the parameters.
    """
    family = family_of(dist)
    x = as_float(value)
    params, penalty = guarded(dist)
    condition = None if inside else support(dist).inside(x)
    if condition is None:
        result = family.logp(x, **params)
    else:
        anchor = support(Dist(dist.family, tuple(params.items()))).anchor()
        formula = family.logp(math.guard(condition, x, anchor), **params)
        result = math.where(_every(condition, event_ndim(dist)), formula, -np.inf)
    result = result if penalty is None else result + penalty
    batch = x.shape[: x.ndim - event_ndim(dist)]
    return broadcast_to(result, broadcast(result.shape, batch))


def _every(condition: Node, n_axes: int) -> Node:
    """Whether a condition holds along all of the last axes."""
    if not n_axes:
        return condition
    broken = math.where(condition, 0.0, 1.0)
    return math.sum(broken, axis=tuple(range(-n_axes, 0))).eq(0.0)


def standard(dist: Dist) -> Dist:
    """`dist` with the parameters of the formula, whichever way they were given."""
    family = family_of(dist)
    given = {name for name, _ in dist.params}
    way = next((way for names, way in family.ways.items() if given <= set(names)), None)
    if way is None:
        return dist
    names = (*(p.name for p in way.given), *way.beside)
    arguments = {name: as_float(dist.get(name)) for name in names}
    made = {name: function(**arguments) for name, function in way.makes.items()}
    params = ((p.name, made.get(p.name, dist.get(p.name))) for p in family.params)
    return Dist(dist.family, tuple((name, a) for name, a in params if a is not None))


def guarded(dist: Dist) -> tuple[dict[str, Any], Node | None]:
    """Parameters of the formula with invalid values replaced, and the -inf that those values cost.

    Constants and data slots were checked when they were given and are taken as they are.
    """
    family = family_of(dist)
    dist, penalty = _checked(dist, family.takes, None)
    made = standard(dist)
    if made is not dist:
        new = tuple(p for p in family.params if made.get(p.name) is not dist.get(p.name))
        made, penalty = _checked(made, new, penalty)
    params: dict[str, Any] = {p.name: made.get(p.name) for p in family.params}
    return params, _put_in_order(family, params, penalty)


def _put_in_order(family: Family, params: dict[str, Any], penalty: Node | None) -> Node | None:
    """Move bounds that fall, and what must lie between them, to where the formula has a value."""

    def ask(names: tuple[str, ...]) -> list[Node]:
        found = [params[name] for name in names if params[name] is not None]
        return [] if len(found) < len(names) or all(map(is_given, found)) else found

    if family.rising is not None and (bounds := ask(family.rising)):
        low, high = bounds
        params[family.rising[1]] = math.guard(low < high, high, low + 1.0)
        penalty = _cost(penalty, low < high)
    if family.between is not None and (found := ask(family.between)):
        low, inner, high = found
        inside = (low <= inner) & (inner <= high)
        params[family.between[1]] = math.guard(inside, inner, 0.5 * (low + high))
        penalty = _cost(penalty, inside)
    return penalty


def _checked(
    dist: Dist, params: tuple[Param, ...], penalty: Node | None
) -> tuple[Dist, Node | None]:
    """`dist` with safe values in the place of invalid ones of `params`, and what they cost."""
    safe = dict(dist.params)
    for p in params:
        argument = safe.get(p.name)
        if not isinstance(argument, Node):
            continue
        safe[p.name] = argument = _as_number(p, argument)
        holds = DOMAINS[p.domain].holds
        if holds is None or is_given(argument):
            continue
        condition = holds(argument)
        safe[p.name] = math.guard(condition, argument, DOMAINS[p.domain].safe)
        penalty = _cost(penalty, _every(condition, min(core_of(p, dist), argument.ndim)))
    return Dist(dist.family, tuple(safe.items())), penalty


def costs(dist: Dist) -> Iterator[Node]:
    """What invalid parameters of `dist`, and of the distributions in it, cost: 0 or -inf each."""
    penalty = guarded(dist)[1]
    if penalty is not None:
        yield penalty
    for _, part in dist.inner():
        yield from costs(part)


def _cost(penalty: Node | None, condition: Node) -> Node:
    cost = math.where(condition, 0.0, -np.inf)
    return cost if penalty is None else penalty + cost


def is_given(node: Node) -> bool:
    """Whether an expression is a constant or a data slot as the user gave it."""
    return node.op in (Op.CONST, Op.DATA) or (node.op is Op.FLOAT and is_given(node.src[0]))


def support(dist: Dist) -> Support:
    """Support of `dist`; its bounds may be expressions."""
    declared = family_of(dist).support
    if isinstance(declared, Support):
        return declared
    return declared(**_arguments(dist))


def _arguments(dist: Dist) -> dict[str, Any]:
    """Arguments of the functions of a row, as floats; None for what was not given."""
    made = standard(dist)
    return {p.name: _as_number(p, made.get(p.name)) for p in family_of(dist).params}


def _as_number(param: Param, argument: Any) -> Any:
    """Float of an expression, unless it is an index."""
    if not isinstance(argument, Node) or DOMAINS[param.domain].selects:
        return argument
    return as_float(argument)


def is_checked(dist: Dist) -> bool:
    """Whether observed values are known to be inside: the bounds depend on no parameter."""
    bounds = [b for b in (support(dist).lower, support(dist).upper) if isinstance(b, Node)]
    return not any(leaf.op in (Op.VAR, Op.PARAM) for leaf in topological(bounds))


def is_discrete(dist: Dist) -> bool:
    """Whether values are whole numbers, which NUTS cannot move."""
    return support(dist).whole


def is_movable(dist: Dist) -> bool:
    """Whether NUTS can move a variable: no value, not even in a part, has positive probability."""
    if is_discrete(dist) or family_of(dist).atoms:
        return False
    return all(is_movable(part) for _, part in dist.inner())


def numeric(dist: Dist, wrapper: str) -> None:
    """Refuse a distribution of vectors for a `wrapper` of single numbers."""
    if event_ndim(dist):
        raise OptionError(f"{wrapper} takes distributions of single numbers, not {dist.family}")


def in_support(dist: Dist, array: np.ndarray, data: Mapping[str, np.ndarray]) -> np.ndarray:
    """Which elements of observed numbers lie inside the support, as far as it is known.

    Parameters
    ----------
    dist : Dist
    array : ndarray
    data : mapping
        Arrays of the data slots.

    Returns
    -------
    ndarray of bool
        Shape of `array`.
    """

    value = make(Op.VAR, (), VALUE, np.shape(array), FLOAT)
    declared = support(dist)
    lower, upper = (
        None if isinstance(bound, Node) and not _is_known(bound, data) else bound
        for bound in (declared.lower, declared.upper)
    )
    condition = replace(declared, lower=lower, upper=upper).inside(value)
    inside = np.isfinite(array)
    if condition is None:
        return inside
    return np.asarray(inside & _numbers(condition, data, {value: np.asarray(array, dtype=float)}))


def known(node: Node | None, data: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Numbers of an expression of constants and data; None for other expressions."""
    return _numbers(node, data, {}) if node is not None and _is_known(node, data) else None


def _is_known(node: Node, data: Mapping[str, np.ndarray]) -> bool:
    """Whether constants and data are all that an expression is made of."""
    return data.keys() >= set(leaves(node))


def _numbers(
    node: Node, data: Mapping[str, np.ndarray], values: Mapping[Any, np.ndarray]
) -> np.ndarray:
    """Value of an expression of data and of leaves that have `values`."""
    given = {(Op.DATA, name): data[name] for name in leaves(node) if name in data}
    axes = {axis: axis.rsplit(".", 1) for axis in axes_of([node])}
    lengths = {axis: data[slot].shape[int(place)] for axis, (slot, place) in axes.items()}
    return evaluate([node], {**given, **values}, lengths)[0]


def default_transform(dist: Dist) -> Transform | None:
    """Transform by which a free variable of this distribution is moved."""
    return support(dist).default_transform()


def support_point(dist: Dist, shape: Shape) -> Node:
    """Return a value inside the support as an expression of the parents, in `shape`."""
    point = family_of(dist).support_point
    if point is None:
        moved = default_transform(dist)
        if moved is None:
            return broadcast_to(const(0.0), shape)
        return moved.backward(broadcast_to(const(0.0), moved.unconstrained_shape(shape)))
    return broadcast_to(point(**_arguments(dist)), shape)


def shape_of(dist: Dist) -> Shape:
    """Shape of a variable as far as the parameters say it.

    An event axis that no parameter has is 1; a variable must then be given a shape.
    """
    family = family_of(dist)
    if family.shape_of is not None:
        return family.shape_of(dist)
    batch: Shape = ()
    event: Shape = (1,) * family.event_ndim
    for p in family.takes:
        argument = dist.get(p.name)
        if isinstance(argument, Node):
            split = max(argument.ndim - p.core, 0)
            batch = broadcast(batch, argument.shape[:split])
            event = broadcast(event, argument.shape[split:][: family.event_ndim])
    return batch + event
