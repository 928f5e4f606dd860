"""Recursions: a function applied step by step, traced into the graph once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from exmc_dask.errors import ModelError, ShapeError, TraceError
from exmc_dask.expressions.axes import Dim, Shape, is_static, show, static_size
from exmc_dask.expressions.body import Body, local
from exmc_dask.expressions.graph import substitute, topological
from exmc_dask.expressions.ir import Node, as_float, as_node, broadcast_to, elementwise, make
from exmc_dask.expressions.ops import DECLARED, ELEMENTWISE, INDEXED, INT, Op
from exmc_dask.math.arrange import concatenate

LIFTED = ELEMENTWISE | {Op.CONST, Op.BROADCAST, Op.RESHAPE, Op.LOCAL}
"""Operations that an index inside of a step may be made of."""


def scan(
    fn: Callable[..., Any],
    init: Any,
    xs: Any = None,
    *,
    length: int | None = None,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """Apply a function again and again, carrying something from step to step.

    Parameters
    ----------
    fn : function (carry, x) -> (carry, y)
        One step, of expressions: `carry` as `init`, `x` one row of `xs` (None without `xs`). Called
        once. It may use every expression of the model; ``None`` for `y` keeps nothing.
    init : number, array or expression, or a tuple, list or dict of them
        Where the carry begins. Scalars, vectors or matrices of fixed size.
    xs : array or expression, or a tuple, list or dict of them, optional
        Sequences; the first axis is that of the steps.
    length : int, optional
        Number of steps, where there are no `xs`.
    reverse : bool
        Whether the last row comes first; results stay in the order of `xs`.

    Returns
    -------
    carry
        As `init`, after the last step.
    ys
        What was kept, an axis of the steps in front.

    Raises
    ------
    TraceError
        The function cannot be turned into an expression; names what it stumbled over.
    ShapeError
        The carry changes its shape, sequences differ in length, or there is no length.

    Examples
    --------
    An exponential average that forgets with a rate to be inferred:

    >>> import exmc_dask as ed
    >>> with ed.Model() as model:
    ...     rate = ed.Uniform("rate")
    ...     level, path = ed.math.scan(
    ...         lambda level, y: (level + rate * (y - level), level), 0.0, [2.0, 3.0, 4.0]
    ...     )
    ...     y = ed.Normal("y", path, 1, observed=[2.0, 3.0, 4.0])
    >>> round(model.logp({"rate": 0.5}), 4)
    -8.7568
    """
    name = getattr(fn, "__name__", repr(fn))
    carry = _Packed.of(init)
    if not carry.shapes:
        raise ShapeError(f"scan: give init, so that {name} has something to carry")
    start = concatenate(carry.vectors(init))
    sequences = [as_node(x) for x in _parts(xs)]
    steps = _length(name, sequences, length)
    leaves = (_Own(), *(_Own() for _ in sequences))
    carried = make(Op.LOCAL, (), leaves[0], start.shape, start.dtype)
    rows = [
        make(Op.LOCAL, (), own, x.shape[1:], x.dtype)
        for own, x in zip(leaves[1:], sequences, strict=True)
    ]
    new, kept = _called(fn, name, carry.unpack(carried), _filled(xs, iter(rows)))
    result = _Packed.of(kept)
    made, beside = carry.vectors_again(name, new), result.vectors(kept)
    # what is kept lies in the last columns, which may be those of the carry
    root = concatenate(made if made[len(made) - len(beside) :] == beside else [*made, *beside])
    outside = _used(root, [carried, *rows])
    operands = (start, *sequences, *outside)
    own = tuple(
        local(place, operand, is_row=1 <= place <= len(sequences))
        for place, operand in enumerate(operands)
    )
    meanings = dict(zip([carried, *rows, *outside], own, strict=True))
    (root,) = substitute([root], meanings)
    body = Body(root, own, len(sequences), steps, reverse)
    whole = make(Op.SCAN, operands, body)
    selections([whole])  # now, while the user's function is at hand to be blamed
    last = whole[body.last, : body.n_carry]
    return carry.unpack(last), result.unpack(whole[body.steps, body.width - result.size :], steps)


def fixed(value: Any) -> Node:
    """Return `value` as a float expression; an array has the lengths it has now for good."""
    node = as_float(value)
    return node if isinstance(value, Node) else broadcast_to(node, np.shape(value))


class _Own:
    """Name of a LOCAL leaf while its scan is traced, so that no two scans share one."""


def _called(fn: Callable[..., Any], name: str, carry: Any, x: Any) -> tuple[Any, Any]:
    try:
        result = fn(carry, x)
    except TraceError:
        raise  # of a function inside of this one, which is to blame
    except (ModelError, TypeError, ValueError, AttributeError) as error:
        raise TraceError(
            f"scan: {name} could not be turned into an expression: {error}. Use Python operators, "
            "indexing and ed.math in it; it runs once, with expressions instead of numbers"
        ) from error
    if not isinstance(result, tuple) or len(result) != 2:
        raise TraceError(
            f"scan: {name} must return (carry, y), with None for y where nothing is kept; it "
            f"returned {type(result).__name__}"
        )
    return result


def _length(name: str, sequences: Sequence[Node], length: int | None) -> Dim:
    for x in sequences:
        if not x.ndim:
            raise ShapeError(
                f"scan: {name} steps along the first axis of xs, and a number has none"
            )
    dims: list[Dim] = [x.shape[0] for x in sequences] + ([] if length is None else [length])
    if not dims:
        raise ShapeError(f"scan: give xs or length=, so that {name} runs a number of times")
    fixed = {dim for dim in dims if isinstance(dim, int)}
    if len(fixed) > 1 or any(dim < 1 for dim in fixed):
        raise ShapeError(
            f"scan: {name} runs along sequences of {', '.join(map(str, dims))} rows; give all of "
            "them the same number, at least 1"
        )
    return fixed.pop() if fixed else dims[0]


# -- structures of expressions --------------------------------------------------------------------


def _parts(value: Any) -> list[Any]:
    """Leaves of tuples, lists and dicts, in order."""
    match value:
        case None:
            return []
        case tuple() | list() if not isinstance(value, list) or _holds_nodes(value):
            return [leaf for part in value for leaf in _parts(part)]
        case Mapping():
            return [leaf for part in value.values() for leaf in _parts(part)]
        case _:
            return [value]


def _holds_nodes(value: list[Any]) -> bool:
    """Whether a list is a structure; one of numbers is an array."""
    return any(isinstance(part, Node | tuple | Mapping) for part in value)


def _filled(like: Any, leaves: Iterator[Any]) -> Any:
    """Put new leaves into the structure of `like`."""
    match like:
        case None:
            return None
        case tuple() | list() if not isinstance(like, list) or _holds_nodes(like):
            return type(like)([_filled(part, leaves) for part in like])
        case Mapping():
            return {key: _filled(part, leaves) for key, part in like.items()}
        case _:
            return next(leaves)


@dataclass(frozen=True)
class _Packed:
    """A structure of expressions as one vector.

    Attributes
    ----------
    like : any
        Something of the same structure.
    shapes : tuple of Shape
        Of its leaves.
    """

    like: Any
    shapes: tuple[Shape, ...]

    @property
    def size(self) -> int:
        """Number of elements."""
        return sum(map(static_size, self.shapes))

    @classmethod
    def of(cls, value: Any) -> "_Packed":
        shapes = tuple(fixed(part).shape for part in _parts(value))
        for shape in shapes:
            if not is_static(shape):
                raise ShapeError(
                    f"scan carries and keeps values of fixed size, not {show(shape)}, whose size "
                    "only the data know; give that axis to xs, or sum over it in the step"
                )
        return cls(value, shapes)

    def vectors(self, value: Any) -> list[Node]:
        """Leaves of `value`, each as a vector."""
        return [
            fixed(part).reshape(static_size(shape))
            for part, shape in zip(_parts(value), self.shapes, strict=True)
        ]

    def vectors_again(self, name: str, value: Any) -> list[Node]:
        """Leaves of what a step made of the carry."""
        shapes = _Packed.of(value).shapes
        if shapes != self.shapes:
            before, after = (", ".join(map(show, each)) for each in (self.shapes, shapes))
            raise ShapeError(
                f"scan: {name} makes a carry of {after} from one of {before}; give init the shape "
                "that the carry has after a step"
            )
        return self.vectors(value)

    def unpack(self, vector: Node, *front: Dim) -> Any:
        """Return the structure whose leaves lie along the last axis, axes in `front` before it."""
        leaves, used = [], 0
        for shape in self.shapes:
            size = static_size(shape)
            leaves.append(vector[..., used : used + size].reshape(*front, *shape))
            used += size
        return _filled(self.like, iter(leaves))


# -- what a step uses from outside ----------------------------------------------------------------


def _used(root: Node, own: Sequence[Node]) -> list[Node]:
    """Largest expressions in a step that depend on no step; those of constants only stay in it."""
    inside: set[Node] = set(own)
    named: set[Node] = set()
    outside: dict[Node, None] = {}
    for node in topological([root]):
        if node.op in DECLARED and node not in inside:
            named.add(node)
        if not inside.isdisjoint(node.src):
            inside.add(node)
            outside.update(dict.fromkeys(x for x in node.src if x in named and x not in inside))
        elif not named.isdisjoint(node.src):
            named.add(node)
    if root in named and root not in inside:
        outside[root] = None
    return list(outside)


def selections(roots: Sequence[Node]) -> list[tuple[Node, Dim]]:
    """Return the indices of a graph and the axes they select from.

    Those in the body of a SCAN are made expressions outside of it, for all steps at once, so that
    they can be looked at before the run.

    Raises
    ------
    ModelError
        An index depends on the carry or is calculated in a way that cannot be moved outside.
    """
    found: list[tuple[Node, Dim]] = []
    for node in topological(roots):
        if node.op in INDEXED:
            found.append((node.src[1], node.src[0].shape[0] if node.op is Op.GATHER else node.arg))
        elif node.op is Op.SCAN:
            body: Body = node.arg
            operands = dict(zip(body.leaves, node.src, strict=True))
            rows = {body.leaves[place] for place in body.sequences}
            inner = selections([body.root])
            found += [(_lifted(index, operands, rows), dim) for index, dim in inner]
    return found


def _lifted(index: Node, operands: Mapping[Node, Node], rows: set[Node]) -> Node:
    """`index` for all steps at once: its own axes behind one of the steps."""
    new: dict[Node, Node] = {}
    for node in topological([index]):
        if node.op not in LIFTED or (node.op is Op.LOCAL and node.dtype != INT):
            raise ModelError(
                f"scan: an index in the step is made with {node.op.value}; select with rows of xs "
                "or with arrays from outside, or calculate the index before the scan"
            )
        match node.op:
            case Op.LOCAL:
                operand = operands[node]
                shape = operand.shape if node in rows else (1, *operand.shape)
                new[node] = make(Op.RESHAPE, (operand,), shape)
            case Op.CONST:
                new[node] = make(Op.RESHAPE, (node,), (1,))
            case Op.RESHAPE:
                inner = new[node.src[0]]
                new[node] = make(Op.RESHAPE, (inner,), (inner.shape[0], *node.shape))
            case Op.BROADCAST:
                inner = new[node.src[0]]
                gap = (1,) * (node.ndim - node.src[0].ndim)
                padded = make(Op.RESHAPE, (inner,), (inner.shape[0], *gap, *inner.shape[1:]))
                new[node] = make(Op.BROADCAST, (padded,), (inner.shape[0], *node.shape))
            case _:
                new[node] = elementwise(node.op, *(new[operand] for operand in node.src))
    return new[index]
