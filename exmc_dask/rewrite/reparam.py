"""Non-centred variables: ``x ~ Normal(mu, tau)`` as ``mu + tau * z`` with ``z ~ Normal(0, 1)``.

Where data say little about x, the posterior of (x, tau) is a funnel that NUTS cannot enter, and z
is the better coordinate; where they say much it is the other way round. See
docs/decisions/0005-ncp-auto.md for the rule behind "auto". Traces show x in both cases.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import reduce
from operator import or_
from typing import NamedTuple

from exmc_dask.dist import FAMILIES, Dist, event_ndim, family_of, standard
from exmc_dask.dist.law import core_of
from exmc_dask.errors import OptionError, ShapeError
from exmc_dask.expressions.axes import Shape
from exmc_dask.expressions.graph import leaves, topological
from exmc_dask.expressions.ir import Node, broadcast_to, const
from exmc_dask.expressions.ops import Op
from exmc_dask.rewrite.draft import Draft, Free
from exmc_dask.rewrite.sums import stretched
from exmc_dask.transforms import Transform

type Choice = str | bool | Mapping[str, bool]

NEUTRAL = (const(0.0), const(1.0))  # location and scale of a standard law
LINEAR = frozenset({"sum_to_zero"})  # transforms of a scaled value that are scaled themselves
REPEATS = frozenset({Op.GATHER, Op.MATMUL})  # read elements of their operands many times


def reparam(draft: Draft, ncp: Choice) -> Draft:
    """Take the chosen variables off centre.

    Parameters
    ----------
    draft : Draft
    ncp : "auto", bool or mapping
        For all eligible variables, or by name; names that a mapping leaves out go by "auto".
        Eligible are free variables of a location-scale family, without a transform but a linear
        one, whose location or scale depends on other free variables.

    Raises
    ------
    OptionError
        Another value, or a name that is not eligible.
    """
    free_names = {free.name for free in draft.free}
    eligible = {free.name for free in draft.free if _is_eligible(free, free_names)}
    if isinstance(ncp, Mapping):
        for name, wanted in ncp.items():
            if name not in free_names or (wanted and name not in eligible):
                raise OptionError(
                    f"ncp: '{name}' cannot be non-centred; candidates are "
                    f"{', '.join(sorted(eligible)) or 'none'}"
                )
    elif ncp not in ("auto", True, False):
        raise OptionError(f"ncp is 'auto', True, False or a mapping of names, not {ncp!r}")
    if isinstance(ncp, bool):
        chosen = eligible if ncp else set()
    else:
        asked = ncp if isinstance(ncp, Mapping) else {}
        identified = _identified(draft)
        chosen = {name for name in eligible if asked.get(name, name not in identified)}
    return replace(draft, free=tuple(_off_centre(f) if f.name in chosen else f for f in draft.free))


def _is_eligible(free: Free, names: set[str]) -> bool:
    parameters = FAMILIES[free.dist.family].location_scale
    moved = free.transform
    if parameters is None or (isinstance(moved, Transform) and moved.kind not in LINEAR):
        return False
    given = [standard(free.dist).get(name) for name in parameters if name is not None]
    return any(not names.isdisjoint(leaves(node)) for node in given)


def _off_centre(free: Free) -> Free:
    parameters = FAMILIES[free.dist.family].location_scale
    assert parameters is not None
    given = standard(free.dist)
    loc, scale = (
        broadcast_to(neutral if name is None else given.get(name), free.shape)
        for name, neutral in zip(parameters, NEUTRAL, strict=True)
    )
    centred = dict(zip(parameters, NEUTRAL, strict=True))
    dist = Dist(
        given.family, tuple((name, centred.get(name, value)) for name, value in given.params)
    )
    return replace(free, dist=dist, affine=(loc, scale))


class _Reads(NamedTuple):
    """Sets of variables of which an expression reads an element, all elements, one repeatedly."""

    once: int = 0
    whole: int = 0
    often: int = 0


def _identified(draft: Draft) -> set[str]:
    """Free variables of which some other part of the model reads an element more than once.

    Two likelihoods that read all of its elements are two readings of each. Sets of variables are
    bits of whole numbers, so that one look at the graph answers for all.
    """
    bit = {free.name: 1 << i for i, free in enumerate(draft.free)}
    reads: dict[Node, _Reads] = {}
    for node in topological(list(_readers(draft))):
        if node.op is Op.VAR:
            own = bit.get(node.arg, 0)
            reads[node] = _Reads(own, own, 0)
            continue
        found = _Reads(
            *(reduce(or_, sets, 0) for sets in zip(*(reads[x] for x in node.src), strict=True))
        )
        if node.op in REPEATS or stretched(node):
            found = found._replace(often=found.once)
        if node.op is Op.SCAN:  # constants are read by every step
            constants = (reads[node.src[place]].once for place in node.arg.constants)
            found = found._replace(often=reduce(or_, constants, found.often))
        reads[node] = found._replace(whole=0) if node.op is Op.SLICE else found
    often = heard = 0
    for root in _readers(draft):
        often |= reads[root].often
    for term in draft.terms:
        roots = _reads(term.dist, term.value.shape)
        whole = reduce(or_, (reads[root].whole for root in roots), 0)
        often |= heard & whole
        heard |= whole
    return {name for name, place in bit.items() if often & place}


def _readers(draft: Draft) -> Iterator[Node]:
    """Expressions by which data, children and potentials hear of variables."""
    for dist, shape in [
        *((term.dist, term.value.shape) for term in draft.terms),
        *((free.dist, free.shape) for free in draft.free),
    ]:
        yield from _reads(dist, shape)
    yield from (potential.node for potential in draft.potentials)


def _reads(dist: Dist, shape: Shape, n_components: int = 0) -> Iterator[Node]:
    """Parameters as the values of a variable of `shape` read them.

    A parameter with axes of its own, as weights and components of a mixture have them, is read by
    every value.
    """
    takes = {p.name: p for p in family_of(dist).takes}
    batch = shape[: len(shape) - event_ndim(dist)]
    for name, node in dist.params:
        if isinstance(node, Node):
            core = core_of(takes[name], dist) if name in takes else 0
            own = min(core + n_components, node.ndim)
            yield _read(node, batch + node.shape[node.ndim - own :] if own else shape)
    for place, part in dist.inner():
        along = len(place) == 1 and takes[str(place[0])].domain == "dists"
        yield from _reads(part, shape, n_components + along)


def _read(node: Node, shape: Shape) -> Node:
    try:
        return broadcast_to(node, shape) if node.ndim <= len(shape) else node
    except ShapeError:
        return node
