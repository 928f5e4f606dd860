"""The expression graph: one kind of node, which is also what the user calculates with.

Grammar
-------
::

    node   := Node(op, shape, dtype, src, arg)      hash-consed: the same node is the same object
    shape  := (dim, ...)                            numbers, or symbols bound with data (axes.py)
    dtype  := "float64" | "int64" | "bool"
    leaf   := CONST number | DATA slot | VAR variable | PARAM variable | RANGE dim
            | LOCAL place           only in the body of a SCAN (body.py)
    elementwise operations take operands of one shape; broadcasting is a node of its own.

VAR stands for the value of a random variable in a declared model; lowering replaces it by an
expression of PARAM, the variable's stretch of the unconstrained vector. Whether a node is well
formed is decided in one place, the table ``ops.INFER``; ``graph.check`` runs it over a whole graph.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np

from exmc_dask.elsewhere import instead
from exmc_dask.errors import DataError, ModelError, ShapeError
from exmc_dask.expressions.arrays import Inline, as_array, data_shape
from exmc_dask.expressions.axes import Shape, broadcast, show
from exmc_dask.expressions.ops import DECLARED, FLOAT, INFER, LEAF, Op


class Node:
    """One value of the graph; also what the user holds and calculates with.

    Attributes
    ----------
    op : Op
    shape : tuple of dimensions (axes.py)
    dtype : "float64", "int64" or "bool"
    src : tuple of Node
        Operands.
    arg : hashable
        What the operation needs besides operands; its meaning stands beside each Op.
    """

    __slots__ = ("__weakref__", "arg", "dtype", "op", "shape", "src")

    op: Op
    shape: Shape
    dtype: str
    src: tuple[Node, ...]
    arg: Any

    __array_priority__ = 1000
    __pandas_priority__ = 5000  # above a DataFrame's: ``series * node`` is ours

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __repr__(self) -> str:
        name = f" {self.arg}" if self.op in LEAF else ""
        return f"<{self.op.value}{name} {show(self.shape)} {self.dtype}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        return make, (self.op, self.src, self.arg, self.shape, self.dtype)

    def _refuse(self, what: str) -> ModelError:
        return ModelError(f"{_told(self)} has no value while the model is declared: {what}")

    if TYPE_CHECKING:
        clip: Callable[..., Node]
        cumprod: Callable[..., Node]
        cumsum: Callable[..., Node]
        dot: Callable[..., Node]
        max: Callable[..., Node]
        mean: Callable[..., Node]
        min: Callable[..., Node]
        prod: Callable[..., Node]
        take: Callable[..., Node]
        transpose: Callable[..., Node]
        var: Callable[..., Node]
    else:

        def __getattr__(self, name: str) -> Any:
            if name in METHODS:
                return partial(METHODS[name], self)
            hint = instead("variable", name, () if name.startswith("_") else METHODS)
            raise AttributeError(f"a model expression has no attribute {name!r}{hint}")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *METHODS]

    def __eq__(self, other: object) -> Any:
        # Between nodes it is identity, so that they can be keys.
        if isinstance(other, Node):
            return self is other
        numeric = isinstance(other, int | float) or hasattr(other, "__array__")
        return elementwise(Op.EQ, self, other) if numeric else NotImplemented

    def __ne__(self, other: object) -> Any:
        same = self == other
        return ~same if isinstance(same, Node) else not same

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise self._refuse("compare with ed.math.where instead of `if`, `and`, `or`")

    def __float__(self) -> float:
        raise self._refuse("use it in expressions, with ed.math for functions")

    __int__ = __float__

    def __len__(self) -> int:
        if not self.shape or not isinstance(self.shape[0], int):
            raise self._refuse("its length is not a fixed number")
        return self.shape[0]

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Node:
        build = UFUNCS.get(ufunc)
        if build is None or method != "__call__" or kwargs:
            raise _not_ours(ufunc)
        return build(*inputs)

    if not TYPE_CHECKING:  # to NumPy's stubs what has these is an array, and X @ beta another

        def __array__(self, *_: Any, **__: Any) -> np.ndarray:
            remedy = "join with ed.math.stack or .concatenate, and calculate with the to_numpy() of"
            raise self._refuse(f"no array can hold it: {remedy} tables and of xarray's arrays")

        def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Node:
            if function not in FUNCTIONS:
                raise _not_ours(function)
            return FUNCTIONS[function](*args, **kwargs)

    def __add__(self, other: Any) -> Node:  # what is a function itself knows how to add
        return NotImplemented if callable(other) else elementwise(Op.ADD, self, other)

    def __radd__(self, other: Any) -> Node:
        return elementwise(Op.ADD, other, self)

    def __sub__(self, other: Any) -> Node:
        return elementwise(Op.SUB, self, other)

    def __rsub__(self, other: Any) -> Node:
        return elementwise(Op.SUB, other, self)

    def __mul__(self, other: Any) -> Node:
        return NotImplemented if callable(other) else elementwise(Op.MUL, self, other)

    def __rmul__(self, other: Any) -> Node:
        return elementwise(Op.MUL, other, self)

    def __truediv__(self, other: Any) -> Node:
        return elementwise(Op.DIV, self, other)

    def __rtruediv__(self, other: Any) -> Node:
        return elementwise(Op.DIV, other, self)

    def __pow__(self, other: Any) -> Node:
        return elementwise(Op.POW, self, other)

    def __rpow__(self, other: Any) -> Node:
        return elementwise(Op.POW, other, self)

    def __neg__(self) -> Node:
        return elementwise(Op.NEG, self)

    def __pos__(self) -> Node:
        return self

    def __abs__(self) -> Node:
        return elementwise(Op.ABS, self)

    def __lt__(self, other: Any) -> Node:
        return elementwise(Op.LT, self, other)

    def __le__(self, other: Any) -> Node:
        return elementwise(Op.LE, self, other)

    def __gt__(self, other: Any) -> Node:
        return elementwise(Op.LT, other, self)

    def __ge__(self, other: Any) -> Node:
        return elementwise(Op.LE, other, self)

    def eq(self, other: Any) -> Node:
        """Elementwise equality; between two expressions ``==`` is identity."""
        return elementwise(Op.EQ, self, other)

    def __and__(self, other: Any) -> Node:
        return elementwise(Op.AND, self, other)

    def __or__(self, other: Any) -> Node:
        return elementwise(Op.OR, self, other)

    def __invert__(self) -> Node:
        return elementwise(Op.NOT, self)

    def __matmul__(self, other: Any) -> Node:
        return make(Op.MATMUL, (self, as_node(other)))

    def __rmatmul__(self, other: Any) -> Node:
        return make(Op.MATMUL, (as_node(other), self))

    def __getitem__(self, key: Any) -> Node:
        from exmc_dask.expressions.indexing import index

        return index(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        raise ModelError(
            f"{_told(self)} cannot be changed in place: make another expression with ed.math.where "
            "or ed.math.concatenate"
        )

    @property
    def T(self) -> Node:  # noqa: N802
        """Transpose: the axes in reverse order."""
        return make(Op.TRANSPOSE, (self,), tuple(reversed(range(self.ndim))))

    def sum(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Node:
        """Sum over `axis`, over everything by default; `keepdims` leaves axes of length 1."""
        return reduce(Op.SUM, self, axis, keepdims)

    def reshape(self, *shape: Any) -> Node:
        """Arrange the same elements, row-major, in another shape."""
        target = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        return make(Op.RESHAPE, (self,), tuple(target))


def _not_ours(function: Any) -> ModelError:
    name = function.__name__
    has = name in vars(import_module("exmc_dask.math"))
    ours = f"; use ed.math.{name}" if has else instead("exmc_dask.math", name)
    home = "numpy" if hasattr(np, name) else getattr(function, "__module__", "scipy.special")
    refused = f"{home}.{name} cannot be used on a model expression"
    return ModelError(f"{refused}{ours or '; look in ed.math'}")


def _told(node: Node) -> str:
    """Return what the user knows of an expression: its name, or the names in it."""
    if node.op is Op.DATA:
        return "an array" if isinstance(node.arg, Inline) else f"'{node.arg}'"
    if node.op is Op.VAR:
        return f"'{node.arg}'"
    names: dict[str, None] = {}
    waiting, seen = [node], {node}
    while waiting and len(names) < 4:
        for operand in waiting.pop().src:
            if operand not in seen:
                seen.add(operand)
                waiting.append(operand)
                if operand.op in (Op.VAR, Op.DATA):
                    names[_told(operand)] = None
    return f"an expression of {', '.join(names)}" if names else f"an expression ({node.op.value})"


_nodes: WeakValueDictionary[tuple[Any, ...], Node] = WeakValueDictionary()
_lock = threading.Lock()


def make(
    op: Op,
    src: tuple[Node, ...] = (),
    arg: Any = None,
    shape: Shape | None = None,
    dtype: str | None = None,
) -> Node:
    """Return the node, the same object for the same meaning.

    `shape` and `dtype` are for DECLARED leaves; every other operation derives them.

    Raises
    ------
    ShapeError
        The operands do not fit the operation.
    """
    if op in DECLARED:
        if shape is None or dtype is None:
            raise ShapeError(f"{op.value} '{arg}' needs a shape and a dtype")
    else:
        shape, dtype = infer(op, src, arg)
    key = (op, shape, dtype, tuple(map(id, src)), repr(arg) if op is Op.CONST else arg)
    with _lock:
        node = _nodes.get(key)
        if node is None:
            node = Node()
            node.op, node.shape, node.dtype, node.src, node.arg = op, shape, dtype, src, arg
            _nodes[key] = node
    return node


def const(value: float) -> Node:
    """Return a scalar constant of the graph."""
    return make(Op.CONST, (), value)


def param(name: str, shape: Shape) -> Node:
    """Return the stretch of the unconstrained vector that belongs to variable `name`."""
    return make(Op.PARAM, (), name, shape, FLOAT)


def as_node(value: Any) -> Node:
    """Turn a number, an array or an expression into a node.

    Raises
    ------
    DataError
        The value is neither, or holds NaN.
    """
    if isinstance(value, Node):
        return value
    if isinstance(value, np.generic):
        value = as_array(value).item()
    if isinstance(value, bool | int | float):
        if value != value:
            raise DataError("NaN was used as a number in an expression")
        return const(value)
    array = as_array(value)
    if array.ndim == 0:
        return as_node(array.item())
    inline = Inline(array, value)
    return make(Op.DATA, (), inline, data_shape(inline.label, array), str(array.dtype))


def elementwise(op: Op, *operands: Any) -> Node:
    """Apply an elementwise operation, broadcasting its operands as NumPy does."""
    nodes = [as_node(operand) for operand in operands]
    try:
        shape = broadcast(*(node.shape for node in nodes))
    except ShapeError as error:
        whose = ", ".join(f"{show(node.shape)} is of {_told(node)}" for node in nodes)
        raise ShapeError(f"{error}: {whose}") from None
    return make(op, tuple(broadcast_to(node, shape) for node in nodes))


def broadcast_to(node: Node, shape: Shape) -> Node:
    """Repeat `node` to `shape`."""
    return node if node.shape == shape else make(Op.BROADCAST, (node,), shape)


def as_float(value: Any) -> Node:
    """Return `value` as float64."""
    node = as_node(value)
    if node.dtype == FLOAT:
        return node
    return const(float(node.arg)) if node.op is Op.CONST else make(Op.FLOAT, (node,))


def reduce(
    op: Op, value: Any, axis: int | tuple[int, ...] | None = None, keepdims: bool = False
) -> Node:
    """Reduce `value` over `axis`, over all axes by default; the axes disappear or have length 1."""
    node = as_node(value)
    axes = chosen_axes(node, axis)
    reduced = make(op, (node,), axes) if axes else node
    if not (keepdims and axes):
        return reduced
    kept = tuple(1 if place in axes else dim for place, dim in enumerate(node.shape))
    return make(Op.RESHAPE, (reduced,), kept)


def chosen_axes(node: Node, axis: int | tuple[int, ...] | None) -> tuple[int, ...]:
    """Axes counted from the front, rising; all of them for None."""
    chosen = range(node.ndim) if axis is None else (axis if isinstance(axis, tuple) else (axis,))
    return tuple(sorted(normal_axis(a, node.ndim) for a in chosen))


def normal_axis(axis: int, ndim: int) -> int:
    """Axis counted from the front."""
    if not -ndim <= axis < ndim:
        raise ShapeError(f"axis {axis} does not exist in an expression with {ndim} axes")
    return axis % ndim


def infer(op: Op, src: tuple[Node, ...], arg: Any) -> tuple[Shape, str]:
    """Shape and dtype of an operation on `src`; raises ShapeError where it is ill formed."""
    return INFER[op](tuple(node.shape for node in src), tuple(node.dtype for node in src), arg)


# NumPy's functions and arrays' methods; exmc_dask.math puts in what it has for each.
FUNCTIONS: dict[Callable[..., Any], Callable[..., Node]] = {}
UFUNCS: dict[np.ufunc, Callable[..., Node]] = {}
METHODS: dict[str, Callable[..., Node]] = {}
