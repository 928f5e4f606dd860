"""Whether data fit a model, and how long its axes are where some data were left behind.

New data may come for the predictors alone: a model can then predict, with as many values as the
predictors ask for, but it can be sampled only when the observed values follow.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from exmc_dask.dist.law import shape_of
from exmc_dask.errors import ShapeError
from exmc_dask.expressions.axes import extents
from exmc_dask.expressions.graph import check, topological
from exmc_dask.expressions.ir import Node
from exmc_dask.expressions.ops import Op
from exmc_dask.language import verify
from exmc_dask.language.model import SEEN, ModelSpec, Slot, Variable, roots_of
from exmc_dask.language.slots import Slots


@dataclass(frozen=True)
class Sizes:
    """Lengths, as the data ask for them.

    Attributes
    ----------
    lengths : dict of str to int
        Of the axes of data.
    dims : dict of str to int
        Of named dimensions.
    behind : dict of str to (tuple of int, tuple of int)
        Observed variables whose values were left behind: the shape of the values that there are,
        and the shape that everything else asks for.
    """

    lengths: Mapping[str, int]
    dims: Mapping[str, int]
    behind: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]


def sizes(spec: ModelSpec, slots: Slots, given: Collection[str] = ()) -> Sizes:
    """Find the lengths of axes where observed values may have been left behind.

    Parameters
    ----------
    spec : ModelSpec
    slots : Slots
    given : collection of str
        Slots that are known to be up to date.
    """
    waiting = only_observed(spec) - set(given)
    dims = _dims(slots, waiting)
    lengths = dict(slots.lengths)
    behind = {}
    for v in spec.observed:
        assert v.observed is not None
        slot = slots.slots[v.observed.arg]
        if slot.name not in waiting:
            continue
        wanted = _wanted(v, slot, lengths, dims)
        shape = slots.arrays[slot.name].shape
        if wanted != shape:
            behind[v.name] = (shape, wanted)
            axes = zip(slot.shape, wanted, strict=True)
            lengths.update((axis, n) for axis, n in axes if isinstance(axis, str))
    return Sizes(lengths, dims, behind)


@lru_cache(maxsize=32)
def only_observed(spec: ModelSpec) -> frozenset[str]:
    """Slots that hold the values of one observed variable and are read by nothing else."""
    observed = [str(v.observed.arg) for v in spec.observed if v.observed is not None]
    values = {v.observed for v in spec.observed}
    parts = [root for root in roots_of(spec) if root not in values]
    read = {leaf.arg for leaf in topological(parts) if leaf.op is Op.DATA}
    read |= {o.observed.arg for o in spec.observations}
    return frozenset(n for n in observed if observed.count(n) == 1 and n not in read)


def _dims(slots: Slots, waiting: Collection[str]) -> dict[str, int]:
    """Lengths of dimensions, which slots that may have been left behind are asked last."""
    found: dict[str, int] = {dim: len(labels) for dim, labels in slots.coords.items()}
    for slot in sorted(slots.slots.values(), key=lambda slot: slot.name in waiting):
        for dim, length in zip(slot.dims, slots.arrays[slot.name].shape, strict=True):
            if dim is not None:
                found.setdefault(dim, length)
    return found


def _wanted(
    v: Variable, slot: Slot, lengths: Mapping[str, int], dims: Mapping[str, int]
) -> tuple[int, ...]:
    """Shape of a variable by its dimensions, else by its parameters, else by its values."""
    asked = extents(shape_of(v.dist), lengths)
    wanted = []
    for axis, own in enumerate(slot.shape):
        dim = v.dims[axis] or slot.dims[axis]
        place = axis - len(slot.shape)
        if not isinstance(own, str):
            wanted.append(own if isinstance(own, int) else extents((own,), lengths)[0])
        elif dim is not None:
            wanted.append(dims[dim])
        elif place >= -len(asked) and asked[place] != 1:
            wanted.append(asked[place])
        else:
            wanted.append(lengths[own])
    return tuple(wanted)


def check_data(spec: ModelSpec, slots: Slots, given: Collection[str]) -> None:
    """Verify data against every declaration; observed values not in `given` may be left behind.

    Raises
    ------
    ModelError
        One of its kinds, naming what does not fit.
    """
    found = sizes(spec, slots, given)
    behind = {str(spec[name].observed.arg) for name in found.behind}  # type: ignore[union-attr]
    for slot in slots.slots.values():
        if slot.name not in behind:
            slots.check_dims(slot.name, slots.arrays[slot.name].shape, slot.dims, found.dims)
    named = [(v.name, v.node, v.dims) for v in spec.variables]
    named += [(o.name, o.observed, o.dims) for o in spec.observations]
    named += [(d.name, d.node, d.dims) for d in spec.deterministics]
    for name, node, dims in named:
        slots.check_dims(name, extents(node.shape, found.lengths), dims, found.dims)
    check(roots_of(spec), found.lengths)
    for variable in spec.variables:
        check_variable(
            variable, slots.arrays, found.lengths, spec.known, variable.name in found.behind
        )


def check_variable(
    v: Variable,
    arrays: Mapping[str, np.ndarray],
    lengths: Mapping[str, int],
    known: Mapping[Node, Node],
    behind: bool = False,
) -> None:
    """Verify shapes, parameters and observed values; those left `behind` are not looked at."""
    dist = verify.conditioned(v.dist, known)
    asked = extents(verify.asked_shape(v.name, dist), lengths)
    verify.fit(v.name, dist, asked, extents(v.shape, lengths))
    elements = verify.elements(v.name, dist, v.node)
    verify.fits(lengths, v.name, elements, *(() if behind else (v.weight, v.mask)))
    verify.check_params(v.name, dist, arrays)
    if v.observed is not None and not behind:
        places = SEEN if v.missing is None else arrays[v.missing.arg]
        verify.check_observed(v.name, dist, arrays[v.observed.arg], arrays, np.asarray(places) >= 0)


def check_not_behind(spec: ModelSpec, slots: Slots) -> None:
    """Refuse data of which the observed values were left behind; a model can only predict then."""
    for name, (shape, wanted) in sizes(spec, slots).behind.items():
        slot = spec[name].observed
        assert slot is not None
        raise ShapeError(
            f"'{name}' has observed values of shape {shape}, but the other data ask for {wanted}: "
            f"give '{slot.arg}' with set_data too; to predict, call "
            "ed.sample_posterior_predictive(trace, model, predictions=True)"
        )
