"""The closed set of operations and the one table that says which uses of them are well formed.

``INFER`` maps every operation to a rule ``(shapes, dtypes, arg) -> (shape, dtype)``. Building a
node runs it with symbolic dimensions, binding data runs it again with numbers: there is no second
definition of what fits.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any

from exmc_dask.errors import ShapeError
from exmc_dask.expressions.axes import Dim, Shape, agree, joined, show, sliced

FLOAT, INT, BOOL = "float64", "int64", "bool"
SINGLE = "float32"  # of arrays that are kept so; no node has it


class Op(Enum):
    """Every operation there is, section by section."""

    # leaves
    CONST = "const"  # arg: bool, int or float
    DATA = "data"  # arg: name of a slot, or Inline until it has one
    VAR = "var"  # arg: name of a random variable
    PARAM = "param"  # arg: name of a random variable, on the unconstrained scale
    RANGE = "range"  # arg: dim; 0, 1, ..., dim - 1
    LOCAL = "local"  # arg: place among the operands of the SCAN in whose body it stands
    # elementwise, one operand
    NEG = "neg"
    EXP = "exp"
    LOG = "log"
    LOG1P = "log1p"
    EXPM1 = "expm1"
    SQRT = "sqrt"
    ABS = "abs"
    SIGN = "sign"
    FLOOR = "floor"
    SIN = "sin"
    COS = "cos"
    ARCTAN = "arctan"
    TANH = "tanh"
    SIGMOID = "sigmoid"
    SOFTPLUS = "softplus"
    ERF = "erf"
    ERFC = "erfc"
    ERFCX = "erfcx"
    LOG_NDTR = "log_ndtr"
    LGAMMA = "lgamma"
    DIGAMMA = "digamma"
    TRIGAMMA = "trigamma"
    PROBIT = "probit"
    I0E = "i0e"
    I1E = "i1e"
    NOT = "not"
    FLOAT = "float"  # bool or int to float64
    # elementwise, two operands
    ADD = "add"
    SUB = "sub"
    MUL = "mul"
    DIV = "div"
    POW = "pow"
    MAXIMUM = "maximum"
    MINIMUM = "minimum"
    LT = "lt"
    LE = "le"
    EQ = "eq"
    AND = "and"
    OR = "or"
    LOG_GAMMAINC = "log_gammainc"  # a, x
    LOG_GAMMAINCC = "log_gammaincc"  # a, x
    GAMMAINC_SHAPE = "gammainc_shape"  # a, x; slope of the two above in a, see grad.py
    # elementwise, three operands
    LOG_BETAINC_ODDS = "log_betainc_odds"  # a, b, odds
    BETAINC_SHAPE = "betainc_shape"  # a, b, odds; slope of the one above in a, see grad.py
    WHERE = "where"  # condition, value if true, value if false; the other value is never looked at
    # reductions; arg: tuple of axes, which disappear
    SUM = "sum"
    MAX = "max"
    LOGSUMEXP = "logsumexp"
    # movement
    RESHAPE = "reshape"  # arg: shape
    TRANSPOSE = "transpose"  # arg: permutation of the axes
    BROADCAST = "broadcast"  # arg: shape
    SLICE = "slice"  # arg: (start, stop, step) an axis
    EMBED = "embed"  # arg: (shape, slices); zeros with src written into the slices
    CONCAT = "concat"  # arg: axis
    # indexing along the first axis
    GATHER = "gather"  # values, index -> values[index]
    SCATTER_ADD = "scatter_add"  # updates, index; arg: length of the first axis of the result
    # linear algebra
    MATMUL = "matmul"  # ranks 1 or 2
    CHOLESKY = "cholesky"  # lower factor; NaN where the matrix is not positive definite
    TRISOLVE = "trisolve"  # L, b; arg: transposed?
    TRIANGLE = "triangle"  # R of [A, B, ...] = Q R, square; of data only, before a kernel runs
    # scans
    CUMSUM = "cumsum"  # arg: (axis, reverse)
    SCAN = "scan"  # init, sequences, constants; arg: Body (body.py)


UNARY_FLOAT = frozenset(
    {
        Op.EXP, Op.LOG, Op.LOG1P, Op.EXPM1, Op.SQRT, Op.SIN, Op.COS, Op.ARCTAN, Op.TANH,
        Op.SIGMOID, Op.SOFTPLUS, Op.ERF, Op.ERFC, Op.ERFCX, Op.LOG_NDTR, Op.LGAMMA, Op.DIGAMMA,
        Op.TRIGAMMA, Op.PROBIT, Op.I0E, Op.I1E, Op.FLOAT,
    }
)  # fmt: skip
UNARY_SAME = frozenset({Op.NEG, Op.ABS, Op.SIGN, Op.FLOOR})
ARITHMETIC = frozenset({Op.ADD, Op.SUB, Op.MUL, Op.POW, Op.MAXIMUM, Op.MINIMUM})
COMPARISON = frozenset({Op.LT, Op.LE, Op.EQ})
LOGICAL = frozenset({Op.AND, Op.OR})
INCOMPLETE = frozenset(
    {
        Op.LOG_GAMMAINC, Op.LOG_GAMMAINCC, Op.GAMMAINC_SHAPE, Op.LOG_BETAINC_ODDS,
        Op.BETAINC_SHAPE,
    }
)  # fmt: skip
UNARY = UNARY_FLOAT | UNARY_SAME | {Op.NOT}
BINARY = ARITHMETIC | COMPARISON | LOGICAL | {Op.DIV}
ELEMENTWISE = UNARY | BINARY | INCOMPLETE | {Op.WHERE}
REDUCTION = frozenset({Op.SUM, Op.MAX, Op.LOGSUMEXP})
LEAF = frozenset({Op.CONST, Op.DATA, Op.VAR, Op.PARAM, Op.RANGE, Op.LOCAL})
INDEXED = frozenset({Op.GATHER, Op.SCATTER_ADD})
DECLARED = frozenset({Op.DATA, Op.VAR, Op.PARAM, Op.LOCAL})
"""Leaves whose shape and type are given, not derived."""


type Rule = Callable[[tuple[Shape, ...], tuple[str, ...], Any], tuple[Shape, str]]


def _same_shape(shapes: tuple[Shape, ...]) -> Shape:
    if len(set(shapes)) != 1:
        raise ShapeError("operands have shapes " + " and ".join(map(show, shapes)))
    return shapes[0]


def _wide(dtypes: Iterable[str]) -> str:
    return FLOAT if FLOAT in dtypes else INT


def _const(shapes: tuple[Shape, ...], dtypes: tuple[str, ...], arg: Any) -> tuple[Shape, str]:
    kinds: Mapping[type, str] = {bool: BOOL, int: INT, float: FLOAT}
    return (), kinds[type(arg)]


def _where(shapes: tuple[Shape, ...], dtypes: tuple[str, ...], arg: Any) -> tuple[Shape, str]:
    if dtypes[0] != BOOL:
        raise ShapeError("the condition of where is not a comparison")
    return _same_shape(shapes), BOOL if set(dtypes[1:]) == {BOOL} else _wide(dtypes[1:])


def _reduced(shapes: tuple[Shape, ...], dtypes: tuple[str, ...], arg: Any) -> tuple[Shape, str]:
    kept = tuple(dim for axis, dim in enumerate(shapes[0]) if axis not in arg)
    return kept, dtypes[0] if dtypes[0] != BOOL else INT


def _reshape(shapes: tuple[Shape, ...], dtypes: tuple[str, ...], arg: Any) -> tuple[Shape, str]:
    def parts(shape: Shape) -> tuple[int, list[Dim]]:
        product = 1
        free: list[Dim] = []
        for dim in shape:
            if isinstance(dim, int):
                product *= dim
            else:
                free.append(dim)
        return product, free

    if parts(shapes[0]) != parts(arg):
        raise ShapeError(f"shape {show(shapes[0])} cannot be reshaped to {show(arg)}")
    return arg, dtypes[0]


def _transpose(shapes: tuple[Shape, ...], dtypes: tuple[str, ...], arg: Any) -> tuple[Shape, str]:
    return tuple(shapes[0][axis] for axis in arg), dtypes[0]


def _broadcast(shapes: tuple[Shape, ...], dtypes: tuple[str, ...], arg: Any) -> tuple[Shape, str]:
    if len(shapes[0]) > len(arg):
        raise ShapeError(f"shape {show(shapes[0])} cannot be broadcast to {show(arg)}")
    for have, want in zip(reversed(shapes[0]), reversed(arg), strict=False):
        if have != 1:
            agree(have, want)
    return arg, dtypes[0]


def _slice(shapes: tuple[Shape, ...], dtypes: tuple[str, ...], arg: Any) -> tuple[Shape, str]:
    return tuple(sliced(dim, *cut) for dim, cut in zip(shapes[0], arg, strict=True)), dtypes[0]


def _embed(shapes: tuple[Shape, ...], dtypes: tuple[str, ...], arg: Any) -> tuple[Shape, str]:
    shape, cuts = arg
    for have, dim, cut in zip(shapes[0], shape, cuts, strict=True):
        agree(have, sliced(dim, *cut))
    return shape, dtypes[0]


def _concat(shapes: tuple[Shape, ...], dtypes: tuple[str, ...], arg: Any) -> tuple[Shape, str]:
    rest = [shape[:arg] + shape[arg + 1 :] for shape in shapes]
    if len({len(shape) for shape in shapes}) != 1:
        raise ShapeError("concatenate needs pieces with the same number of axes")
    kept = list(rest[0])
    for other in rest[1:]:
        kept = [agree(a, b) for a, b in zip(kept, other, strict=True)]
    middle = joined(tuple(shape[arg] for shape in shapes))
    return (*kept[:arg], middle, *kept[arg:]), _wide(dtypes)


def _gather(shapes: tuple[Shape, ...], dtypes: tuple[str, ...], arg: Any) -> tuple[Shape, str]:
    if dtypes[1] != INT:
        raise ShapeError("an index must be of whole numbers")
    return shapes[1] + shapes[0][1:], dtypes[0]


def _scatter(shapes: tuple[Shape, ...], dtypes: tuple[str, ...], arg: Any) -> tuple[Shape, str]:
    return (arg, *shapes[0][len(shapes[1]) :]), dtypes[0]


def _matmul(shapes: tuple[Shape, ...], dtypes: tuple[str, ...], arg: Any) -> tuple[Shape, str]:
    left, right = shapes
    if not (1 <= len(left) <= 2 and 1 <= len(right) <= 2):
        raise ShapeError(f"@ takes vectors and matrices, not {show(left)} and {show(right)}")
    try:
        agree(left[-1], right[0])
    except ShapeError:
        raise ShapeError(f"{show(left)} @ {show(right)} do not fit") from None
    return left[:-1] + right[1:], FLOAT


def _square(shapes: tuple[Shape, ...], dtypes: tuple[str, ...], arg: Any) -> tuple[Shape, str]:
    if len(shapes[0]) != 2:
        raise ShapeError(f"a matrix is needed, not {show(shapes[0])}")
    agree(*shapes[0])
    return shapes[0], FLOAT


def _triangle(shapes: tuple[Shape, ...], dtypes: tuple[str, ...], arg: Any) -> tuple[Shape, str]:
    rows, columns = zip(*shapes, strict=True)
    for other in rows[1:]:
        agree(rows[0], other)
    width = joined(columns)
    return (width, width), FLOAT


def _trisolve(shapes: tuple[Shape, ...], dtypes: tuple[str, ...], arg: Any) -> tuple[Shape, str]:
    _square(shapes[:1], dtypes, arg)
    agree(shapes[0][1], shapes[1][0])
    return shapes[1], FLOAT


def _scan(shapes: tuple[Shape, ...], dtypes: tuple[str, ...], arg: Any) -> tuple[Shape, str]:
    for place, (leaf, have) in enumerate(zip(arg.leaves, shapes, strict=True)):
        row = (arg.length,) if place in arg.sequences else ()
        if len(have) != len(row) + len(leaf.shape) or dtypes[place] != leaf.dtype:
            raise ShapeError(f"the body of scan takes {show(leaf.shape)}, not {show(have)}")
        for dim, wanted in zip(have, row + leaf.shape, strict=True):
            agree(dim, wanted)
    carry, width = arg.leaves[0].shape, arg.root.shape
    if not all(len(shape) == 1 and isinstance(shape[0], int) for shape in (carry, width)):
        raise ShapeError(f"scan carries vectors of fixed length, not {show(carry)}, {show(width)}")
    return (arg.rows, *width), FLOAT


INFER: Mapping[Op, Rule] = {
    Op.CONST: _const,
    Op.RANGE: lambda shapes, dtypes, arg: ((arg,), INT),
    **{op: lambda shapes, dtypes, arg: (_same_shape(shapes), FLOAT) for op in UNARY_FLOAT},
    **{op: lambda shapes, dtypes, arg: (_same_shape(shapes), _wide(dtypes)) for op in UNARY_SAME},
    **{op: lambda shapes, dtypes, arg: (_same_shape(shapes), _wide(dtypes)) for op in ARITHMETIC},
    Op.DIV: lambda shapes, dtypes, arg: (_same_shape(shapes), FLOAT),
    **{op: lambda shapes, dtypes, arg: (_same_shape(shapes), BOOL) for op in COMPARISON},
    **{op: lambda shapes, dtypes, arg: (_same_shape(shapes), BOOL) for op in LOGICAL | {Op.NOT}},
    **{op: lambda shapes, dtypes, arg: (_same_shape(shapes), FLOAT) for op in INCOMPLETE},
    Op.WHERE: _where,
    **{op: _reduced for op in REDUCTION},
    Op.RESHAPE: _reshape,
    Op.TRANSPOSE: _transpose,
    Op.BROADCAST: _broadcast,
    Op.SLICE: _slice,
    Op.EMBED: _embed,
    Op.CONCAT: _concat,
    Op.GATHER: _gather,
    Op.SCATTER_ADD: _scatter,
    Op.MATMUL: _matmul,
    Op.CHOLESKY: _square,
    Op.TRISOLVE: _trisolve,
    Op.TRIANGLE: _triangle,
    Op.CUMSUM: lambda shapes, dtypes, arg: (shapes[0], dtypes[0]),
    Op.SCAN: _scan,
}
