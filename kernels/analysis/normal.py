"""The graph as loops like it: every value in its smallest index space, few forms of the rest.

Afterwards

- an elementwise operation has the shape of its operands without axes of length 1, and what is the
  same along an axis is calculated once and broadcast;
- a SUM or MAX has no axis along which its operand is constant, and axes in an order in which loops
  over them run well (`loop_order`);
- LOGSUMEXP, products of vectors and products with a small or calculated matrix are sums; what is
  left of MATMUL is a product with a long or wide data matrix, or of two matrices.
"""

from collections.abc import Callable, Mapping, Sequence

from exmc_dask.expressions.axes import Dim, Shape, broadcast
from exmc_dask.expressions.graph import rebuild
from exmc_dask.expressions.ir import Node, broadcast_to, const, elementwise, make
from exmc_dask.expressions.ops import ELEMENTWISE, FLOAT, Op

type Rule = Callable[[Node, tuple[Node, ...]], Node]


def normalise(roots: Sequence[Node]) -> list[Node]:
    """Return equal `roots` in normal form; shapes stay, up to the names of equal dimensions."""
    return rebuild(roots, lambda node, src: RULES[node.op](node, src) if node.op in RULES else None)


def squeezed(shape: Shape) -> Shape:
    """`shape` without axes of length 1."""
    return tuple(dim for dim in shape if dim != 1)


SHORT = 8  # innermost loops of fewer turns stay scalar
LONG = 64
WIDE = 16  # a product with a data matrix of as many rows and columns is dearer than a call


def is_long(dim: Dim) -> bool:
    """Whether a dimension counts as many: only the data know it, or it is a large number."""
    return not isinstance(dim, int) or dim > LONG


def loop_order(shape: Shape) -> tuple[int, ...]:
    """Axes from the outermost loop to the innermost.

    As they stand, unless there are short ones beside long ones: an innermost loop must be long to
    run on whole registers, and nothing else can be said of one that is neither.
    """
    real = [axis for axis, dim in enumerate(shape) if dim != 1]
    long = [axis for axis in real if is_long(shape[axis])]
    short = [axis for axis in real if axis not in long and shape[axis] <= SHORT]  # type: ignore[operator]
    if not long or len(long) + len(short) < len(real):
        return tuple(range(len(shape)))
    ones = [axis for axis, dim in enumerate(shape) if dim == 1]
    return (*ones, *short, *long)


def _reshape(x: Node, shape: Shape) -> Node:
    while x.op is Op.RESHAPE:
        x = x.src[0]
    if x.shape == shape:
        return x
    if x.op is Op.BROADCAST and not squeezed(x.src[0].shape):
        return make(Op.BROADCAST, (_reshape(x.src[0], ()),), shape)
    return make(Op.RESHAPE, (x,), shape)


def _core(x: Node) -> Node:
    """`x` before broadcasting, without leading axes of length 1."""
    while x.op is Op.BROADCAST:
        x = x.src[0]
    lead = next((axis for axis, dim in enumerate(x.shape) if dim != 1), x.ndim)
    return _reshape(x, x.shape[lead:])


def _elementwise(node: Node, src: tuple[Node, ...]) -> Node:
    if node.op is Op.FLOAT and src[0].dtype == FLOAT:
        return src[0]
    moved = _outside_embed(node, src)
    if moved is not None:
        return moved
    cores = [_core(x) for x in src]
    shape = broadcast(*(core.shape for core in cores))
    small = [_reshape(core, _without_ones(core.shape, shape)) for core in cores]
    return broadcast_to(_reshape(elementwise(node.op, *small), shape), node.shape)


def _without_ones(shape: Shape, whole: Shape) -> Shape:
    """`shape` without the axes that have length 1 even in `whole`, to which it is broadcast."""
    return tuple(
        dim for dim, full in zip(shape, whole[len(whole) - len(shape) :], strict=True) if full != 1
    )


def _outside_embed(node: Node, src: tuple[Node, ...]) -> Node | None:
    """Apply what is linear to a slice before it is embedded in zeros."""
    if node.op not in (Op.NEG, Op.MUL, Op.DIV) or src[0].op is not Op.EMBED:
        return None
    inner, cuts = src[0].src[0], src[0].arg[1]
    others = [_core(x) if not _core(x).shape else make(Op.SLICE, (x,), cuts) for x in src[1:]]
    changed = _elementwise(
        elementwise(node.op, inner, *others),
        (inner, *(broadcast_to(other, inner.shape) for other in others)),
    )
    return make(Op.EMBED, (broadcast_to(changed, inner.shape),), src[0].arg)


def _broadcast(node: Node, src: tuple[Node, ...]) -> Node:
    return broadcast_to(_core(src[0]), node.shape)


def _transpose(node: Node, src: tuple[Node, ...]) -> Node:
    return transposed(src[0], node.arg)


def transposed(x: Node, axes: tuple[int, ...]) -> Node:
    """Transpose `x`, before its elementwise operations where there are any."""
    made: dict[Node, Node] = {}
    stack = [x]
    while stack:
        node = stack[-1]
        missing = [y for y in node.src if y not in made] if node.op in ELEMENTWISE else []
        if missing:
            stack += missing
        else:
            stack.pop()
            made[node] = (
                elementwise(node.op, *(made[operand] for operand in node.src))
                if node.op in ELEMENTWISE
                else _moved(node, axes)
            )
    return made[x]


def _moved(x: Node, axes: tuple[int, ...]) -> Node:
    """Transpose what is no elementwise operation."""
    shape = tuple(x.shape[axis] for axis in axes)
    moved = [axis for axis in axes if x.shape[axis] != 1]
    if moved == sorted(moved):
        return _reshape(x, shape)
    if x.op is Op.TRANSPOSE:
        return _moved(x.src[0], tuple(x.arg[axis] for axis in axes))
    if x.op is Op.BROADCAST:
        core = x.src[0]
        padded = _reshape(core, (1,) * (x.ndim - core.ndim) + core.shape)
        return broadcast_to(_core(transposed(padded, axes)), shape)
    return make(Op.TRANSPOSE, (x,), axes)


def length(dim: Dim) -> Node:
    """Length of an axis as a float."""
    if isinstance(dim, int):
        return const(float(dim))
    return make(Op.SUM, (make(Op.BROADCAST, (const(1.0),), (dim,)),), (0,))


def is_length(node: Node) -> bool:
    """Whether `node` is what `length` makes of an axis that only the data know."""
    return node.op is Op.SUM and node.src[0].op is Op.BROADCAST and node.src[0].src[0] is const(1.0)


def _reduction(node: Node, src: tuple[Node, ...]) -> Node:
    return broadcast_to(_reshape(_reduced(node.op, src[0], node.arg), node.shape), node.shape)


def _reduced(op: Op, x: Node, axes: tuple[int, ...]) -> Node:
    """Reduce `x`, which is in normal form, over `axes`; axes of length 1 may be gone."""
    if op is Op.SUM and x.op is Op.EMBED and _covers(x, axes):
        return _reduced(op, x.src[0], axes)
    kept = tuple(dim for axis, dim in enumerate(x.shape) if axis not in axes)
    core = _core(x)
    lead = x.ndim - core.ndim
    real = tuple(axis for axis in axes if axis >= lead and core.shape[axis - lead] != 1)
    constant = [x.shape[axis] for axis in axes if axis not in real and x.shape[axis] != 1]
    if op is Op.SUM and constant and x.dtype != FLOAT:
        core = normal(Op.FLOAT, core)
    y = _over(op, core, tuple(axis - lead for axis in real)) if real else core
    core_kept = tuple(dim for axis, dim in enumerate(core.shape) if axis + lead not in axes)
    y = broadcast_to(_core(_reshape(y, core_kept)), kept)
    if op is Op.SUM:
        for dim in constant:
            many = broadcast_to(length(dim), kept)
            y = many if y is const(1.0) else _elementwise(elementwise(Op.MUL, y, many), (y, many))
    return y


def _covers(x: Node, axes: tuple[int, ...]) -> bool:
    """Whether a sum over `axes` sums all that an EMBED put somewhere."""
    return all(cut == (None, None, 1) or axis in axes for axis, cut in enumerate(x.arg[1]))


def _over(op: Op, x: Node, axes: tuple[int, ...]) -> Node:
    """Reduce over axes along which `x` really varies, in the order of good loops."""
    dims = x.shape
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    order = loop_order(x.shape)
    if not any(map(is_long, x.shape)):
        order = (*kept, *axes)
    x = transposed(x, order) if order != tuple(range(x.ndim)) else x
    places = tuple(place for place, axis in enumerate(order) if axis in axes)
    ones = [place for place, dim in enumerate(x.shape) if dim == 1]
    x = _reshape(x, squeezed(x.shape))
    y = make(op, (x,), tuple(place - sum(one < place for one in ones) for place in places))
    found = [axis for axis in order if axis in kept]
    shape = tuple(dims[axis] for axis in found)
    return _moved(_reshape(y, shape), tuple(found.index(axis) for axis in kept))


def _logsumexp(node: Node, src: tuple[Node, ...]) -> Node:
    """``m + log(sum(exp(x - m)))`` with the maximum m, or 0 where that is infinite."""
    x, kept = src[0], tuple(1 if a in node.arg else d for a, d in enumerate(src[0].shape))
    top = normal(Op.MAX, x, arg=node.arg)
    finite = normal(Op.LT, normal(Op.ABS, top), const(float("inf")))
    top = normal(Op.WHERE, finite, top, const(0.0))
    spread = broadcast_to(_core(_reshape(top, kept)), x.shape)
    total = normal(Op.SUM, normal(Op.EXP, normal(Op.SUB, x, spread)), arg=node.arg)
    return normal(Op.ADD, normal(Op.LOG, total), top)


def normal(op: Op, *src: Node, arg: object = None) -> Node:
    """Make one operation on operands in normal form, in normal form."""
    node = make(op, src, arg) if arg is not None else elementwise(op, *src)
    made = RULES[op](node, node.src)
    return node if made is None else made


def is_data_matrix(x: Node) -> bool:
    """Whether `x` is a data slot with two axes, or the transpose of one."""
    return x.ndim == 2 and data_of(x).op is Op.DATA


def data_of(matrix: Node) -> Node:
    """Return a matrix that may be transposed as it is stored."""
    return matrix.src[0] if matrix.op is Op.TRANSPOSE else matrix


def _matmul(node: Node, src: tuple[Node, ...]) -> Node | None:
    left, right = src
    match left.ndim, right.ndim:
        case 1, 2:
            return _matmul(node, (transposed(right, (1, 0)), left))
        case 2, 1 if is_data_matrix(left) and _is_wide(left.shape):
            return make(Op.MATMUL, (left, right))
        case 2, 2:
            return _matrix_product(left, right)
        case _:
            return normal(Op.SUM, normal(Op.MUL, left, right), arg=(left.ndim - 1,))


def _is_wide(shape: Shape) -> bool:
    """Whether a product with a matrix of `shape` is one for the functions of ``linalg``."""
    fixed = [dim for dim in shape if isinstance(dim, int)]
    return 1 not in shape and (any(map(is_long, shape)) or min(fixed) >= WIDE)


def _matrix_product(left: Node, right: Node) -> Node:
    """Multiply matrices so that the innermost loop runs along the long axis of each.

    One that has few columns is calculated transposed; so is a product that has.
    """
    if is_tall(left):
        product = _matrix_product(transposed(right, (1, 0)), transposed(left, (1, 0)))
        return _moved(product, (1, 0))
    if is_tall(right) and not is_data_matrix(right):
        right = make(Op.TRANSPOSE, (transposed(right, (1, 0)),), (1, 0))
    return make(Op.MATMUL, (left, right))


def is_tall(x: Node) -> bool:
    """Whether a matrix has many rows and few columns."""
    return is_long(x.shape[0]) and not is_long(x.shape[1])


def _concat(node: Node, src: tuple[Node, ...]) -> Node | None:
    return src[0] if len(src) == 1 else None


RULES: Mapping[Op, Callable[[Node, tuple[Node, ...]], Node | None]] = {
    **dict.fromkeys(ELEMENTWISE, _elementwise),
    Op.BROADCAST: _broadcast,
    Op.RESHAPE: lambda node, src: _reshape(src[0], node.arg),
    Op.TRANSPOSE: _transpose,
    Op.SUM: _reduction,
    Op.MAX: _reduction,
    Op.LOGSUMEXP: _logsumexp,
    Op.MATMUL: _matmul,
    Op.CONCAT: _concat,
    Op.CUMSUM: lambda node, src: src[0] if node.shape[node.arg[0]] == 1 else None,
}
