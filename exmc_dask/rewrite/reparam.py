"""Non-centred variables: ``x ~ Normal(mu, tau)`` as ``mu + tau * z`` with ``z ~ Normal(0, 1)``.

Where data say little about x, the posterior of (x, tau) is a funnel that NUTS cannot enter, and z
is the better coordinate; where they say much it is the other way round. See docs/decisions for the
rule behind "auto". Traces show x in both cases.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from exmc_dask.dist import FAMILIES, Dist
from exmc_dask.errors import OptionError
from exmc_dask.graph import leaves, topological
from exmc_dask.ir import Node, broadcast_to, const
from exmc_dask.ops import Op
from exmc_dask.rewrite.draft import Draft, Free
from exmc_dask.rewrite.sums import stretched

type Choice = str | bool | Mapping[str, bool]

REPEATS = frozenset({Op.GATHER, Op.MATMUL})  # read elements of their operands many times


def reparam(draft: Draft, ncp: Choice) -> Draft:
    """Take the chosen variables off centre.

    Parameters
    ----------
    draft : Draft
    ncp : "auto", bool or mapping
        For all eligible variables, or by name; names that a mapping leaves out go by "auto".
        Eligible are free variables of a location-scale family without a transform whose location
        or scale depends on other free variables.

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
    chosen: set[str] = set()
    for name in eligible:
        asked = ncp.get(name) if isinstance(ncp, Mapping) else None if ncp == "auto" else ncp
        if asked if asked is not None else not _is_identified(draft, name):
            chosen.add(name)
    return replace(draft, free=tuple(_off_centre(f) if f.name in chosen else f for f in draft.free))


def _is_eligible(free: Free, names: set[str]) -> bool:
    parameters = FAMILIES[free.dist.family].location_scale
    if parameters is None or free.transform is not None:
        return False
    return any(not names.isdisjoint(leaves(free.dist.get(name))) for name in parameters)


def _off_centre(free: Free) -> Free:
    parameters = FAMILIES[free.dist.family].location_scale
    assert parameters is not None
    loc, scale = (broadcast_to(free.dist.get(name), free.shape) for name in parameters)
    standard = dict(zip(parameters, (const(0.0), const(1.0)), strict=True))
    dist = Dist(
        free.dist.family,
        tuple((name, standard.get(name, value)) for name, value in free.dist.params),
    )
    return replace(free, dist=dist, affine=(loc, scale))


def _is_identified(draft: Draft, name: str) -> bool:
    """Whether some term reads each element of a variable more than once."""
    return any(_reads_often(root, name) for root in _roots(draft, name))


def _roots(draft: Draft, name: str) -> Iterator[Node]:
    """Expressions by which data or children hear of a variable."""
    for term in draft.terms:
        shape = term.value.shape
        for node in (*term.dist.nodes(), term.value):
            yield broadcast_to(node, shape) if node.ndim <= len(shape) else node
    for free in draft.free:
        if free.name != name:
            for node in free.dist.nodes():
                fits = node.ndim <= len(free.shape)
                yield broadcast_to(node, free.shape) if fits else node
    yield from (potential.node for potential in draft.potentials)


def _reads_often(root: Node, name: str) -> bool:
    """Whether a way from `root` to the variable repeats its elements."""
    order = topological([root])
    reads: dict[Node, bool] = {}  # nodes that depend on the variable; True where they repeat it
    for node in order:
        if node.op is Op.VAR and node.arg == name:
            reads[node] = False
            continue
        below = [operand for operand in node.src if operand in reads]
        if below:
            often = node.op in REPEATS or bool(stretched(node))
            reads[node] = often or any(reads[operand] for operand in below)
    return reads.get(root, False)
