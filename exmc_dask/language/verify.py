"""Taking one declaration into a model: everything is looked up, traced and verified here, once.

The functions raise with the name of the variable. After them a distribution consists of
expressions only, so that it can travel.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from exmc_dask.dist.base import Dist, Function, Name, Param
from exmc_dask.dist.domain import DOMAINS
from exmc_dask.dist.law import (
    default_transform,
    event_ndim,
    family_of,
    in_support,
    is_discrete,
    is_movable,
    known,
    logp,
    shape_of,
    standard,
    support,
)
from exmc_dask.errors import (
    DataError,
    DiscreteError,
    ModelError,
    OptionError,
    ShapeError,
    SupportError,
)
from exmc_dask.expressions.axes import Shape, broadcast, extents, show
from exmc_dask.expressions.graph import check, leaves, substitute
from exmc_dask.expressions.ir import Node, as_float, as_node
from exmc_dask.expressions.ops import BOOL, Op
from exmc_dask.language.model import REDUCTIONS, is_name
from exmc_dask.language.slots import Slots, checked_array, place
from exmc_dask.language.tracing import TRACED_LATER
from exmc_dask.transforms import Transform, transform

RESERVED = ("chain", "draw", "sample")  # axes of results


def check_name(name: Any) -> None:
    """Raise ModelError for what cannot be a name, with one that can."""
    if not isinstance(name, str):
        raise ModelError(
            f"{name!r} cannot be a name: the first argument is the variable's, an identifier such "
            "as 'mu_1'"
        )
    if not is_name(name) or name in RESERVED:
        near = re.sub(r"\W+", "_", name).strip("_")
        such = near if is_name(near) and near not in RESERVED else "mu_1"
        raise ModelError(
            f"{name!r} cannot be a name: it must be an identifier such as {such!r}, not begin "
            f"with two underscores, and not be one of {', '.join(RESERVED)}"
        )


def check_once(name: str, dims: tuple[str | None, ...]) -> None:
    """Raise ModelError where two axes of a variable have one name, which xarray cannot hold."""
    for axis, dim in enumerate(dims):
        if dim is not None and dim in dims[:axis]:
            raise ModelError(
                f"'{name}': dims name '{dim}' twice; give the other axis a dimension of its own, "
                f"such as '{dim}_2' with the same labels"
            )


def expression(name: str, value: Any) -> Node:
    """Node of what the user gave for `name`, whose errors name it."""
    try:
        return as_node(value)
    except DataError as error:
        raise DataError(f"'{name}': {error}") from None


def settled(slots: Slots, owner: str, dist: Dist) -> Dist:
    """`dist` with data slots in the place of arrays written into it."""

    def settle(param: str, argument: Any) -> Any:
        match argument:
            case Name(name):
                raise DataError(
                    f"'{owner}': {param} is the text {name!r}; give the variable itself "
                    "(names stand for variables in ed.Builder only)"
                )
            case Function() if param not in TRACED_LATER:
                raise DataError(f"'{owner}': {param} is a function; give an expression")
            case Node():
                node = slots.claim(owner, param, argument)
                return as_float(node) if node.op is Op.CONST else node
            case _:
                return argument

    return dist.map(settle)


def asked_shape(name: str, dist: Dist) -> Shape:
    """Shape that the parameters ask for; errors name the variable."""
    try:
        return shape_of(dist)
    except ShapeError as error:
        raise ShapeError(f"'{name}': {error}") from None


def free_shape(
    slots: Slots, name: str, dist: Dist, shape: Any, dims: tuple[str | None, ...]
) -> tuple[int, ...]:
    """Numbers for the shape of a free variable.

    Raises
    ------
    ShapeError
        `shape`, `dims` and the parameters disagree, or an axis is said by none of them.
    """
    asked = slots.extents(asked_shape(name, dist))
    given = as_shape(name, shape)
    if dims:
        sizes = tuple(
            slots.length_of(dim, asked, axis - len(dims)) for axis, dim in enumerate(dims)
        )
        if given is not None and given != sizes:
            raise ShapeError(f"'{name}': shape {given} and dims {dims} of lengths {sizes} differ")
        given = sizes
    if given is None:
        n_event = event_ndim(dist)
        if n_event and asked[-n_event] == 1:
            raise ShapeError(f"'{name}': {dist.family} needs shape= or dims= for its length")
        return asked
    fit(name, dist, asked, given)
    return given


def predicted_shape(
    slots: Slots, name: str, dist: Dist, shape: Any, dims: tuple[str | None, ...]
) -> Shape:
    """Shape of a variable that is drawn in prediction only; it may follow the lengths of data."""
    asked = asked_shape(name, dist)
    sizes = free_shape(slots, name, dist, shape, dims)
    return asked if slots.extents(asked) == sizes else sizes


def fit(name: str, dist: Dist, asked: Shape, given: Shape) -> None:
    """Verify that parameters of shape `asked` broadcast into `given`."""
    if not _broadcasts(asked, given) or len(given) < event_ndim(dist):
        raise ShapeError(
            f"'{name}': the parameters of {dist.family} ask for shape {show(asked)}, which does "
            f"not fit {show(given)}"
        )


def as_shape(name: str, shape: Any) -> tuple[int, ...] | None:
    """Tuple of lengths for ``shape=``: a whole number or several."""
    if shape is None:
        return None
    sizes = shape if isinstance(shape, tuple | list) else (shape,)
    for size in sizes:
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
            raise ShapeError(f"'{name}': shape {shape!r} must be of whole numbers above 0")
    return tuple(int(size) for size in sizes)


def check_free(name: str, dist: Dist) -> None:
    """Refuse a free variable that NUTS cannot move."""
    if is_movable(dist):
        return
    what = "is discrete"
    if not is_discrete(dist):
        what = "takes some values with positive probability"
    raise DiscreteError(
        f"'{name}' ~ {dist.family} {what} and is free, which NUTS cannot move: give it observed=, "
        "or sum it out, for example with ed.Mixture"
    )


def check_sampled(name: str, predicted: Collection[str], *nodes: Node) -> None:
    """Refuse that what is sampled depends on a variable that is not."""
    for node in nodes if predicted else ():
        for leaf in leaves(node):
            if leaf in predicted:
                raise ModelError(
                    f"'{name}' depends on '{leaf}', which is drawn in prediction only "
                    f"(likelihood=False); declare '{name}' so too, or let '{leaf}' be sampled"
                )


def conditioned(dist: Dist, known: Mapping[Node, Node]) -> Dist:
    """`dist` with data in the place of the observed variables its parameters refer to."""

    def given(_: str, argument: Any) -> Any:
        return substitute([argument], known)[0] if isinstance(argument, Node) else argument

    return dist.map(given) if known else dist


def check_params(name: str, dist: Dist, arrays: Mapping[str, np.ndarray]) -> None:
    """Refuse constants and data outside the domain of the parameter they are given to."""
    family = family_of(dist)
    for param in family.takes:
        match dist.get(param.name):
            case Dist() as inner:
                check_params(name, inner, arrays)
            case tuple() as parts:
                for part in parts:
                    check_params(name, part, arrays)
            case Node() as node if (numbers := known(node, arrays)) is not None:
                _check_domain(name, f"{param.name} of {family.name}", param, numbers)
    made = standard(dist)
    for param in family.params:
        node = made.get(param.name)
        if node is not dist.get(param.name) and (numbers := known(node, arrays)) is not None:
            given = ", ".join(p for p, _ in dist.params)
            _check_domain(name, f"{param.name} of {family.name} (from {given})", param, numbers)
    if family.rising is not None:
        low, high = (known(dist.get(side), arrays) for side in family.rising)
        if low is not None and high is not None and not np.all(low < high):
            raise SupportError(
                f"'{name}': {family.rising[0]} of {family.name} must be below {family.rising[1]}"
            )
    if family.clash is not None:
        found = {p.name: known(made.get(p.name), arrays) for p in family.params}
        if wrong := family.clash(**found):
            raise SupportError(f"'{name}': {wrong}")
    if family.between is not None:
        first, middle, last = (known(dist.get(p), arrays) for p in family.between)
        if middle is not None and not (_not_above(first, middle) and _not_above(middle, last)):
            words = "{1} of {3} must lie between {0} and {2}".format(*family.between, family.name)
            raise SupportError(f"'{name}': {words}")


def _not_above(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    """Whether no element of `a` is above that of `b`, as far as both are known."""
    return a is None or b is None or bool(np.all(a <= b))


def _check_domain(name: str, what: str, param: Param, numbers: np.ndarray) -> None:
    good = np.asarray(DOMAINS[param.domain].holds_for(numbers))
    if good.all():
        return
    which = "it is not"
    if param.domain == "weights" and not np.any(numbers < 0.0):
        sums = numbers.sum(axis=-1)
        which = f"the sum is {sums.flat[np.argmax(np.abs(sums - 1.0))]:g}"
    elif good.shape == numbers.shape:
        which = f"{place(~good)} is {numbers[~good].flat[0]:g}"
    raise SupportError(f"'{name}': {what} must be {DOMAINS[param.domain].words}, but {which}")


def check_observed(
    name: str,
    dist: Dist,
    observed: np.ndarray,
    arrays: Mapping[str, np.ndarray],
    imputed: np.ndarray | bool = False,
) -> None:
    """Refuse observed values outside the support; those that are `imputed` are none."""
    inside = np.broadcast_to(in_support(dist, observed, arrays), observed.shape) | imputed
    if not inside.all():
        raise SupportError(
            f"'{name}': {place(~inside)} is {observed[~inside].flat[0]:g}, outside the support "
            f"{support(dist).settled(lambda bound: known(bound, arrays))} of {dist.family}"
        )


def transform_of(slots: Slots, name: str, dist: Dist, shape: Shape, chosen: Any) -> Any:
    """Transform that the user chose for a free variable, with its bounds settled.

    Raises
    ------
    OptionError
        There is no such transform.
    ShapeError
        It, or the default one, does not work on values of `shape`.
    """
    try:
        moved = transform(chosen) if isinstance(chosen, str) and chosen != "default" else chosen
        found = default_transform(dist) if moved == "default" else moved
        if isinstance(found, Transform):
            found.unconstrained_shape(shape)
    except (OptionError, ShapeError) as error:
        raise type(error)(f"'{name}': {error}") from None
    if moved is None or moved == "default":
        return moved
    if not isinstance(moved, Transform):
        raise OptionError(f"'{name}': transform={chosen!r} is neither a transform nor a name")
    return Transform(moved.kind, tuple(slots.claim(name, "bound", arg) for arg in moved.args))


def observed_leaf(slots: Slots, name: str, value: Any, dims: tuple[str | None, ...]) -> Node:
    """Leaf of the data of `name`, with a slot of its own where `value` is an array."""
    if isinstance(value, Node):
        if value.op is not Op.DATA or value.arg not in slots.slots:
            raise DataError(f"'{name}': observed takes an array or ed.Data, no expression")
        leaf = value
    else:
        array = checked_array(name, value)
        leaf = as_node(value) if array.ndim else slots.add(f"{name}.observed", array)
        leaf = slots.claim(name, "observed", leaf)
    slots.check_dims(name, slots.extents(leaf.shape), dims or (None,) * leaf.ndim)
    return leaf


def terms_of(
    slots: Slots, name: str, weight: Any, mask: Any, reduce: str
) -> tuple[Node | None, Node | None, str]:
    """Verify what stands between elementwise log-densities and their sum."""
    if reduce not in REDUCTIONS:
        raise OptionError(f"'{name}': reduce={reduce!r} is none of {', '.join(REDUCTIONS)}")
    factor = kept = None
    if isinstance(weight, Node) or np.ndim(weight) or weight not in (None, 1):
        factor = as_float(slots.claim(name, "weight", as_node(weight)))
    if mask is not None:
        given = mask if isinstance(mask, Node) else as_mask(name, mask)
        kept = slots.claim(name, "mask", as_node(given))
        if kept.dtype != BOOL:
            raise DataError(f"'{name}': mask is an expression, but no comparison")
    return factor, kept, reduce


def as_mask(name: str, mask: Any) -> np.ndarray:
    """Array of bools, which may be written as 0 and 1."""
    array = checked_array(name, mask)
    if not np.isin(array, (0, 1)).all():
        raise DataError(f"'{name}': mask must be of True and False")
    return array.astype(bool)


def elements(name: str, dist: Dist, value: Node) -> Node:
    """Log-density of every element; errors name the variable."""
    try:
        return logp(dist, value)
    except (ModelError, OptionError) as error:
        raise type(error)(f"'{name}': {error}") from None


def fits(lengths: Mapping[str, int], name: str, node: Node, *parts: Node | None) -> None:
    """Verify an expression against lengths of axes, and that `parts` broadcast into it."""
    try:
        check([node, *(part for part in parts if part is not None)], lengths)
    except ModelError as error:
        raise type(error)(f"'{name}': {error}") from None
    shape = extents(node.shape, lengths)
    for part in parts:
        if part is not None and not _broadcasts(own := extents(part.shape, lengths), shape):
            raise ShapeError(
                f"'{name}': weight or mask of shape {show(own)} for observations of shape "
                f"{show(shape)}"
            )


def _broadcasts(shape: Shape, into: Shape) -> bool:
    try:
        return broadcast(shape, into) == into
    except ShapeError:
        return False
