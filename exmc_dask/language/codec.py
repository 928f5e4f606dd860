"""A model as bytes: msgpack with version and hash; reading verifies every name and shape."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgpack

from exmc_dask.dist import FAMILIES, Dist
from exmc_dask.dist.base import VALUE
from exmc_dask.errors import FormatError, ModelError
from exmc_dask.expressions.axes import Shape, dim_from_data, dim_to_data
from exmc_dask.expressions.graph import from_data, to_data, topological
from exmc_dask.expressions.ir import Node
from exmc_dask.expressions.ops import BOOL, FLOAT, INT, SINGLE, Op
from exmc_dask.language.envelope import seal, unseal
from exmc_dask.language.model import (
    REDUCTIONS,
    Deterministic,
    ModelSpec,
    Observation,
    Potential,
    Slot,
    Variable,
    is_name,
    is_slot_name,
    roots_of,
)
from exmc_dask.transforms import TRANSFORMS, Transform

VERSION = 1
MAGIC = "exmc-model"


def encode(spec: ModelSpec) -> bytes:
    """Write a model."""
    return seal(MAGIC, VERSION, _body(spec))


@lru_cache(maxsize=32)
def decode(data: bytes) -> ModelSpec:
    """Read a model; the same bytes give the same record.

    Raises
    ------
    FormatError
        The bytes are damaged, of another version, or no model.
    """
    body = unseal(data, MAGIC, VERSION, "these bytes are not a model")
    try:
        spec = _read(msgpack.unpackb(body))
        _verify(spec)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError, ModelError) as error:
        raise FormatError(f"these bytes do not hold a model: {error!r}") from error
    return spec


class _Writer:
    """Collects the expressions of a record, to be written as one graph."""

    def __init__(self) -> None:
        self.roots: list[Node] = []

    def node(self, node: Node | None) -> int | None:
        if node is None:
            return None
        self.roots.append(node)
        return len(self.roots) - 1

    def dist(self, dist: Dist) -> list[Any]:
        return [dist.family, [[name, *self.argument(value)] for name, value in dist.params]]

    def argument(self, value: Any) -> list[Any]:
        match value:
            case Node():
                return ["node", self.node(value)]
            case Dist():
                return ["dist", self.dist(value)]
            case tuple():
                return ["dists", [self.dist(part) for part in value]]
            case str():
                return ["text", value]
        raise ModelError(f"{value!r} is not settled and cannot be written")

    def transform(self, transform: Any) -> Any:
        if isinstance(transform, Transform):
            return [transform.kind, [self.node(arg) for arg in transform.args]]
        return transform


def _body(spec: ModelSpec) -> bytes:
    write = _Writer()
    record = {
        "variables": [
            [
                v.name,
                write.dist(v.dist),
                list(map(dim_to_data, v.shape)),
                list(v.dims),
                write.transform(v.transform),
                *map(write.node, (v.observed, v.weight, v.mask)),
                v.reduce,
                v.likelihood,
                write.node(v.missing),
                v.n_missing,
            ]
            for v in spec.variables
        ],
        "slots": [
            [s.name, list(map(dim_to_data, s.shape)), s.dtype, list(s.dims)] for s in spec.slots
        ],
        "deterministics": [[d.name, write.node(d.node), list(d.dims)] for d in spec.deterministics],
        "potentials": [[p.name, write.node(p.node)] for p in spec.potentials],
        "observations": [
            [
                o.name,
                *map(write.node, (o.node, o.observed)),
                list(o.dims),
                *map(write.node, (o.weight, o.mask)),
                o.reduce,
                o.likelihood,
            ]
            for o in spec.observations
        ],
    }
    packed: bytes = msgpack.packb({**record, "graph": to_data(write.roots)})
    return packed


def _read(record: Mapping[str, Any]) -> ModelSpec:
    roots = from_data(record["graph"])

    def node(place: int | None) -> Node | None:
        return None if place is None else roots[place]

    def dist(data: Any) -> Dist:
        family, params = data
        return Dist(family, tuple((name, READ[kind](value)) for name, kind, value in params))

    def transform(data: Any) -> Any:
        return (
            Transform(data[0], tuple(roots[i] for i in data[1])) if isinstance(data, list) else data
        )

    def shape(data: Any) -> Shape:
        return tuple(map(dim_from_data, data))

    READ: Mapping[str, Callable[[Any], Any]] = {
        "node": lambda place: roots[place],
        "dist": dist,
        "dists": lambda parts: tuple(map(dist, parts)),
        "text": str,
    }
    return ModelSpec(
        variables=tuple(
            Variable(
                name, dist(law), shape(sizes), tuple(dims), transform(moved),
                node(observed), node(weight), node(mask), reduction, counts, node(missing), n,
            )
            for name, law, sizes, dims, moved, observed, weight, mask, reduction, counts, missing, n
            in record["variables"]
        ),
        slots=tuple(
            Slot(name, shape(sizes), dtype, tuple(dims))
            for name, sizes, dtype, dims in record["slots"]
        ),
        deterministics=tuple(
            Deterministic(name, roots[i], tuple(dims))
            for name, i, dims in record["deterministics"]
        ),
        potentials=tuple(Potential(name, roots[i]) for name, i in record["potentials"]),
        observations=tuple(
            Observation(
                name, roots[expression], roots[observed], tuple(dims),
                node(weight), node(mask), reduction, counts,
            )
            for name, expression, observed, dims, weight, mask, reduction, counts
            in record["observations"]
        ),
    )  # fmt: skip


def _families(dist: Dist) -> Iterator[str]:
    """Names of the families of a distribution and of those in it."""
    yield dist.family
    for _, part in dist.inner():
        yield from _families(part)


def _verify(spec: ModelSpec) -> None:
    """Refuse a record that no model could have given."""
    names = [v.name for v in spec.variables] + [o.name for o in spec.observations]
    names += [d.name for d in spec.deterministics] + [p.name for p in spec.potentials]
    names += [part for v in spec.variables for part in v.shares]
    tuples = [v.dims for v in spec.variables] + [s.dims for s in spec.slots]
    dims = [dim for item in tuples for dim in item if dim is not None]
    if not all(map(is_name, names + dims)) or not all(is_slot_name(s.name) for s in spec.slots):
        raise ModelError("a name in it is not an identifier")
    if len({*names, *(s.name for s in spec.slots)}) != len(names) + len(spec.slots):
        raise ModelError("a name stands in it twice")
    if any(s.dtype not in (FLOAT, SINGLE, INT, BOOL) for s in spec.slots):
        raise ModelError("a slot has an unknown dtype")
    for v in spec.variables:
        if isinstance(v.transform, Transform):
            _verify_transform(v.transform)
        for family in _families(v.dist):
            if family not in FAMILIES:
                raise ModelError(f"unknown distribution {family!r}")
        if v.reduce not in REDUCTIONS:
            raise ModelError(f"unknown reduction {v.reduce!r}")
        if not isinstance(v.n_missing, int) or v.n_missing < 0:
            raise ModelError(f"{v.n_missing!r} values cannot be missing")
        if v.missing is not None and (v.observed is None or v.missing.dtype != INT):
            raise ModelError(f"the missing values of '{v.name}' are at no places")
        if v.n_missing and v.missing is None:
            raise ModelError(f"'{v.name}' does not say which values are missing")
        sizes = (v.dist.get(p.name) for p in FAMILIES[v.dist.family].params if p.domain == "size")
        if not all(isinstance(n, Node) and n.op is Op.CONST for n in sizes):
            raise ModelError(f"a size of {v.dist.family} is not a number")
    declared = {slot.node for slot in spec.slots} | {v.node for v in spec.variables}
    declared |= {o.leaf for o in spec.observations}
    order = topological(roots_of(spec))
    for leaf in order:
        if leaf.op in (Op.DATA, Op.VAR) and leaf not in declared and leaf.arg != VALUE:
            raise ModelError(f"{leaf!r} is not declared")
        if leaf.op in (Op.PARAM, Op.LOCAL):
            raise ModelError(f"{leaf!r} does not belong into a declaration")


def _verify_transform(transform: Transform) -> None:
    """Refuse a kind there is not, too few bounds, and anything but numbers after the bounds."""
    if transform.kind not in TRANSFORMS:
        raise ModelError(f"unknown transform {transform.kind!r}")
    n_bounds = TRANSFORMS[transform.kind].n_args
    given, more = transform.args[:n_bounds], transform.args[n_bounds:]
    if len(given) < n_bounds or any(arg.op is not Op.CONST for arg in more):
        raise ModelError(f"transform {transform.kind!r} has other arguments")
