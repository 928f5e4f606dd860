"""From a declared model to one scalar graph of the unconstrained vector, with its gradient."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Any

import numpy as np

from exmc_dask.errors import UnknownName
from exmc_dask.expressions.axes import Shape
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.grad import gradient
from exmc_dask.expressions.graph import axes_of, check, is_data, topological
from exmc_dask.expressions.ir import Node, const, param
from exmc_dask.expressions.layout import Layout
from exmc_dask.expressions.ops import INT, Op
from exmc_dask.language.model import ModelSpec
from exmc_dask.lowering.binding import Binding, Input, inputs
from exmc_dask.math.scan import selections
from exmc_dask.rewrite import Choice, run
from exmc_dask.rewrite.fold import fold, separate
from exmc_dask.rewrite.forms import row
from exmc_dask.rewrite.lanes import Ragged
from exmc_dask.rewrite.roll import Part, elements, roll, wholes
from exmc_dask.rewrite.simplify import simplify
from exmc_dask.rewrite.sufficient import summarise
from exmc_dask.rewrite.terms import write
from exmc_dask.rewrite.unify import unify

__all__ = ["Input", "LogDensity", "Output", "lower"]

MOVED = frozenset({Op.DATA, Op.CONCAT, Op.RESHAPE})  # operations that calculate nothing
TEMPERATURE = "inverse temperature"  # name of the power of a tempered likelihood
LENGTH = "length.{}"  # slot of the length of an axis that no array shows


@dataclass(frozen=True)
class Output:
    """One thing that each draw stores: a variable on its own scale, or a deterministic."""

    name: str
    node: Node  # of PARAM and DATA leaves
    shape: Shape  # may have axes that only the data know
    dims: tuple[str | None, ...]


@dataclass(frozen=True)
class LogDensity:
    """Log density of a model over its unconstrained vector, ready to be compiled.

    Attributes
    ----------
    logp : Node
        Scalar; includes the log Jacobian of every transform.
    grads : tuple of Node
        Derivative with respect to each PARAM, in the order of `layout` and of the PARAM's shape.
    outputs : tuple of Output
        What a draw stores, flat and row-major one after the other.
    stored : tuple of (str, Node)
        The numbers of all outputs in the same order, in fewer pieces where outputs are alike.
    layout : Layout
        Place of each PARAM in the unconstrained vector.
    variables : Layout
        Place of each free variable in it; several may share a PARAM (``rewrite.roll``).
    slots : tuple of Input
        Arrays the kernel reads: data of the user and what was calculated from them (``fold.0``,
        ...), by name, then lengths of axes that none of them shows (``length.0``, ...).
    axes : tuple of str
        Names of the axes whose lengths are bound with the data.
    ragged : tuple of Ragged
        Those of them along which lanes of different lengths follow each other.
    terms : tuple of (str, Node)
        The parts of which `logp` is the sum, each a scalar with the name of its variable.
    rolled : tuple of tuple of str
        Names of the terms that are calculated as one.
    scanned : tuple of tuple of str
        Names of the values that are calculated in one scan.
    binding : Binding
        What is asked of the user's data.
    """

    logp: Node
    grads: tuple[Node, ...]
    outputs: tuple[Output, ...]
    stored: tuple[tuple[str, Node], ...]
    layout: Layout
    variables: Layout
    slots: tuple[Input, ...]
    axes: tuple[str, ...]
    ragged: tuple[Ragged, ...]
    terms: tuple[tuple[str, Node], ...]
    rolled: tuple[tuple[str, ...], ...]
    scanned: tuple[tuple[str, ...], ...]
    binding: Binding = field(repr=False)

    def fold(self, data: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Turn the user's data into what the kernel reads.

        Returns
        -------
        dict
            An array for each of `slots`.

        Raises
        ------
        UnknownName, DataError, ShapeError
            An array is missing, of another type, rank or length than the model asks for, or holds
            an index outside the axis it selects from.
        """
        given = self.binding.check(data)
        made = {**given.arrays, **self.binding.calculate(given)}
        for name, axis in self._hidden().items():
            made[name] = np.asarray(given.lengths[axis])
        return {slot.name: np.asarray(made[slot.name], slot.dtype) for slot in self.slots}

    def axis_lengths(self, data: Mapping[str, np.ndarray]) -> dict[str, int]:
        """Lengths of `axes`, as the arrays that `fold` returned show them."""
        lengths = {axis: int(data[name]) for name, axis in self._hidden().items()}
        for slot in self.slots:
            for dim, length in zip(slot.shape, data[slot.name].shape, strict=True):
                if isinstance(dim, str):
                    lengths[dim] = length
        return lengths

    def broken_terms(self, q: np.ndarray, slots: Mapping[str, np.ndarray]) -> list[str]:
        """Names of the variables and potentials whose terms are not finite at a point.

        Parameters
        ----------
        q : (layout.dim,) float64
            Unconstrained.
        slots : mapping
            What `fold` returned.
        """
        leaves: dict[Any, Any] = {(Op.DATA, name): array for name, array in slots.items()}
        leaves |= {(Op.PARAM, name): value for name, value in self.layout.unpack(q).items()}
        lengths = self.axis_lengths(slots)
        values = evaluate([node for _, node in self.terms], leaves, lengths)
        return [name for (name, _), x in zip(self.terms, values, strict=True) if not np.isfinite(x)]

    def _hidden(self) -> dict[str, str]:
        """Slots that hold a length, and the axes they hold it for."""
        shown = {dim for slot in self.slots for dim in slot.shape}
        hidden = (axis for axis in self.axes if axis not in shown)
        return {LENGTH.format(i): axis for i, axis in enumerate(hidden)}

    def support_point(
        self, data: Mapping[str, Any], values: Mapping[str, Any] | None = None
    ) -> np.ndarray:
        """Unconstrained point around which chains start.

        Parameters
        ----------
        data : mapping
            The user's arrays.
        values : mapping, optional
            Values of variables on the user's scale. Variables left out stand at their support
            point, given the ones before them.

        Returns
        -------
        ndarray
            float64, ``(layout.dim,)``.

        Raises
        ------
        UnknownName, ShapeError, SupportError
            A value belongs to no free variable, has the wrong shape or lies outside the support.
        """
        for name in values or {}:
            self.variables[name]
        return self.variables.pack(
            self.binding.unconstrained(values or {}, self.binding.check(data))
        )


def lower(
    spec: ModelSpec,
    *,
    ncp: Choice = "auto",
    sufficient: bool = True,
    var_names: Sequence[str] | None = None,
    jacobian: bool = True,
    tempered: bool = False,
) -> LogDensity:
    """Lower a model to its log density.

    Parameters
    ----------
    spec : ModelSpec
    ncp : "auto", bool or mapping of variable name to bool
        Which variables are sampled off centre, see ``rewrite.reparam``.
    sufficient : bool
        Whether squared residuals of linear predictors are summed by way of a triangle that is
        calculated once from the data, see ``rewrite.sufficient``.
    var_names : sequence of str, optional
        Free variables and deterministics to store with each draw; all by default.
    jacobian : bool
        Whether it is the density of the unconstrained vector, or, at that vector, the density of
        the variables on their own scales.
    tempered : bool
        Whether likelihood and potentials are raised to a power, which is one more coordinate
        behind the others, TEMPERATURE. The derivative by it is their logarithm.

    Raises
    ------
    ModelError, OptionError
        One of their kinds, naming the variable.
    """
    choice = ncp if isinstance(ncp, str | bool) else tuple(sorted(ncp.items()))
    names = None if var_names is None else tuple(var_names)
    return _lower(spec, choice, sufficient, names, jacobian, tempered)


@lru_cache(maxsize=32)
def _lower(
    spec: ModelSpec,
    ncp: str | bool | tuple[tuple[str, bool], ...],
    sufficient: bool,
    var_names: tuple[str, ...] | None,
    jacobian: bool,
    tempered: bool,
) -> LogDensity:
    written = write(run(spec, dict(ncp) if isinstance(ncp, tuple) else ncp), jacobian)
    names = _chosen(list(written.values), var_names)
    declared = [*(node for _, node in written.terms), *written.values.values()]
    n = len(written.terms)

    roots, agreements = unify(declared)
    indices = [(index, dim) for index, dim in selections(roots) if is_data(index)]
    labels = (*(name for name, _ in written.terms), *written.values)
    named = list(zip(labels, roots, strict=True))
    rolled = roll(written.params, named[:n], named[n:], names)
    pieces = [node for _, node in rolled.stored]
    value_roots, term_roots = wholes(rolled.values), wholes(rolled.terms)
    sizes = len(rolled.summands), len(value_roots), len(pieces), len(term_roots)
    simple = simplify([*rolled.summands, *value_roots, *pieces, *term_roots])
    summands, values, pieces, terms = _split(simple, *sizes)
    together = simplify(separate([*summands, *terms]))
    together = simplify(summarise(together)) if sufficient else together
    summands, terms = _split(together, sizes[0], sizes[3])
    params = rolled.params
    if tempered:
        heat = param(TEMPERATURE, ())
        summands = _tempered(rolled.terms, summands, terms, len(written.params), heat)
        params = (*params, heat)
    logp = sum(summands[1:], start=summands[0]) if summands else const(0.0)
    roots = [logp, *gradient(logp, params), *values, *pieces, *terms]
    roots, folded = fold(simplify(unify(simplify(roots))[0]))
    check(roots)

    (logp,), grads, values, pieces, terms = _split(roots, 1, len(params), *sizes[1:])
    values = elements(rolled.values, dict(zip(value_roots, values, strict=True)))
    terms = elements(rolled.terms, dict(zip(term_roots, terms, strict=True)))
    points = [node for s in written.starts for node in (s.point, s.unconstrained, s.inside)]
    axes = axes_of(roots)
    ragged = [axis for axis in rolled.ragged if axis.axis in axes]
    kept = {slot.name: slot.dtype for slot in spec.slots}
    slots = inputs([*roots, *(axis.first for axis in ragged)], kept | _kept(rolled.slots, kept))
    shown = {dim for slot in slots for dim in slot.shape}
    hidden = [axis for axis in axes if axis not in shown]
    dims = {v.name: v.dims for v in spec.free} | {d.name: d.dims for d in spec.stored}
    return LogDensity(
        logp=logp,
        grads=tuple(grads),
        outputs=tuple(
            Output(name, node, node.shape, dims[name] or (None,) * node.ndim)
            for name, node in zip(names, values, strict=True)
        ),
        stored=tuple((name, node) for (name, _), node in zip(rolled.stored, pieces, strict=True)),
        layout=Layout.of((str(leaf.arg), _numbers(leaf)) for leaf in params),
        variables=Layout.of((str(leaf.arg), _numbers(leaf)) for leaf in rolled.order),
        slots=(*slots, *(Input(LENGTH.format(i), (), INT) for i in range(len(hidden)))),
        axes=tuple(axes),
        ragged=tuple(ragged),
        terms=tuple((name, node) for (name, _), node in zip(written.terms, terms, strict=True)),
        rolled=rolled.groups,
        scanned=rolled.scanned,
        binding=Binding(
            sources=inputs([*declared, *points, *_counted(spec, [*declared, *points])], kept),
            joined=rolled.slots,
            folded=tuple(folded),
            agreements=tuple(agreements),
            indices=tuple(dict.fromkeys(indices)),
            starts=written.starts,
        ),
    )


def _tempered(
    parts: Sequence[Part], summands: Sequence[Node], whole: Sequence[Node], n: int, heat: Node
) -> list[Node]:
    """Multiply by `heat` what does not belong to the first `n` terms, which are priors.

    Parameters
    ----------
    parts : sequence of Part
        Each term as a row of an expression, or as one.
    summands, whole : sequence of Node
        Those expressions, summed up and as they are.
    """
    sums = dict(zip((e for e, k in parts if not k), summands, strict=True))
    rows = dict(zip(wholes(parts), whole, strict=True))
    found = []
    for expression, summed in sums.items():
        of = [(place >= n, k) for place, (e, k) in enumerate(parts) if e is expression]
        if len({hot for hot, _ in of}) == 1:
            found.append(heat * summed if of[0][0] else summed)
            continue
        for hot, k in of:
            assert k is not None  # it has a row for each of them
            term = row(rows[expression], k)
            found.append(heat * term if hot else term)
    return found


def _counted(spec: ModelSpec, roots: Sequence[Node]) -> list[Node]:
    """Slots that the model asks for their length only, as of values that are all alike likely."""
    seen = {dim for node in topological(roots) if node.op is Op.DATA for dim in node.shape}
    unseen = set(axes_of(roots)) - seen
    return [slot.node for slot in spec.slots if not unseen.isdisjoint(slot.shape)]


def _kept(joined: Iterable[tuple[Node, Node]], kept: Mapping[str, str]) -> dict[str, str]:
    """Dtypes in which joined arrays are kept: that of the arrays, where all have one."""
    found = {}
    for leaf, made in joined:
        below = topological([made])
        dtypes = {kept[node.arg] for node in below if node.op is Op.DATA}
        if len(dtypes) == 1 and all(node.op in MOVED for node in below):
            found[str(leaf.arg)] = dtypes.pop()
    return found


def _split(nodes: Sequence[Node], *sizes: int) -> list[list[Node]]:
    """Cut a list into lists of these sizes."""
    rest = iter(nodes)
    return [list(islice(rest, size)) for size in sizes]


def _numbers(leaf: Node) -> tuple[int, ...]:
    return tuple(dim for dim in leaf.shape if isinstance(dim, int))


def _chosen(names: list[str], var_names: tuple[str, ...] | None) -> list[str]:
    if var_names is None:
        return names
    for name in var_names:
        if name not in names:
            raise UnknownName(
                f"var_names: '{name}' is neither a free variable nor a deterministic; "
                f"there are {', '.join(names) or 'none'}"
            )
    return [name for name in names if name in var_names]
