"""Expressions and distributions as the user would write them."""

from collections.abc import Mapping

from exmc_dask.dist.base import FAMILIES, VALUE, Dist
from exmc_dask.expressions.axes import Dim
from exmc_dask.expressions.ir import Node
from exmc_dask.expressions.ops import REDUCTION, Op
from exmc_dask.math import expand_packed_triangular
from exmc_dask.transforms import Transform

type Names = Mapping[Node, str]  # expressions that have a name, which is written instead

# operator and how tightly it binds
INFIX: Mapping[Op, tuple[str, int]] = {
    Op.LT: (" < ", 1),
    Op.LE: (" <= ", 1),
    Op.EQ: (" == ", 1),
    Op.OR: (" | ", 2),
    Op.AND: (" & ", 3),
    Op.ADD: (" + ", 4),
    Op.SUB: (" - ", 4),
    Op.MUL: (" * ", 5),
    Op.DIV: (" / ", 5),
    Op.MATMUL: (" @ ", 5),
    Op.POW: ("**", 7),
}
UNSEEN = frozenset({Op.BROADCAST, Op.FLOAT})
SPELLED: Mapping[Op, str] = {
    Op.LGAMMA: "gammaln",
    Op.CONCAT: "concatenate",
    Op.TRISOLVE: "solve_triangular",
}
"""Operations whose name in ed.math is another."""
PREFIX: Mapping[Op, str] = {Op.NEG: "-", Op.NOT: "~"}
LONGEST = 100  # characters after which an expression is cut


NO_NAMES: Names = {}


def text(node: Node, names: Names = NO_NAMES, longest: int = LONGEST) -> str:
    """Expression in Python's notation, cut after `longest` characters."""
    written = _write(node, names, longest)[0]
    return written if len(written) <= longest else written[: longest - 3] + "..."


def text_of_dist(dist: Dist, names: Names = NO_NAMES) -> str:
    """Distribution with its parameters: ``Normal(mu, 5)``; by name after one that is left out."""
    parts = []
    places = [param.name for param in FAMILIES[dist.family].takes]
    for i, (name, argument) in enumerate(dist.params):
        match argument:
            case Node():
                written = text(argument, names)
            case Dist():
                written = text_of_dist(argument, names)
            case tuple():
                written = "[" + ", ".join(text_of_dist(part, names) for part in argument) + "]"
            case _:
                written = repr(argument)
        plain = places[i : i + 1] == [name] or name not in places
        parts.append(written if plain else f"{name}={written}")
    return f"{dist.family}({', '.join(parts)})"


def text_of_transform(transform: Transform, names: Names = NO_NAMES) -> str:
    """Transform by its kind, with the bounds it has: ``interval(0, a + 1)``."""
    bounds = ", ".join(text(arg, names) for arg in transform.args)
    return f"{transform.kind}({bounds})" if bounds else transform.kind


def text_of_counting(weight: Node | None, mask: Node | None, reduce: str) -> list[str]:
    """How observed elements count, as far as it is not simply their sum."""
    return [
        *([f"weight {text(weight)}"] if weight is not None else []),
        *([f"mask {text(mask)}"] if mask is not None else []),
        *([reduce] if reduce != "sum" else []),
    ]


def _write(node: Node, names: Names, room: int) -> tuple[str, int]:
    """Text and how tightly its last operator binds; stops going deeper where no room is left."""
    if node in names:
        return names[node], 9
    if node.op is Op.CONST:
        number = f"{node.arg:.6g}"
        return number, 6 if number.startswith("-") else 9
    if node.op in (Op.DATA, Op.VAR, Op.PARAM):
        return "value" if node.arg == VALUE else str(node.arg), 9
    if node.op is Op.RANGE:
        return f"range({node.arg})", 9
    if room <= 0:
        return "...", 9
    if node.op in UNSEEN:
        return _write(node.src[0], names, room)
    if node.op in PREFIX:
        inner, tight = _write(node.src[0], names, room - 1)
        return PREFIX[node.op] + (inner if tight >= 6 else f"({inner})"), 6
    if node.op in INFIX:
        sign, binds = INFIX[node.op]
        left, left_tight = _write(node.src[0], names, room - len(sign))
        right, right_tight = _write(node.src[1], names, room - len(sign) - len(left))
        left = left if left_tight > binds - (node.op is not Op.POW) else f"({left})"
        right = right if right_tight > binds else f"({right})"
        return left + sign + right, binds
    packed = _packed(node)
    if packed is not None:
        inner, _ = _write(packed, names, room)
        return f"expand_packed_triangular({node.shape[0]}, {inner})", 9
    if node.op is Op.RESHAPE and _long(node.src[0]) == _long(node):
        inner, tight = _write(node.src[0], names, room)
        axes = _new_axes(node)
        return (f"{inner if tight == 9 else f'({inner})'}[{axes}]", 9) if axes else (inner, tight)
    if node.op is Op.SLICE:
        inner, tight = _write(node.src[0], names, room)
        cuts = ", ".join(_cut(*cut) for cut in node.arg)
        return f"{inner if tight == 9 else f'({inner})'}[{cuts}]", 9
    if node.op is Op.GATHER:
        inner, tight = _write(node.src[0], names, room)
        places, _ = _write(node.src[1], names, room - len(inner))
        return f"{inner if tight == 9 else f'({inner})'}[{places}]", 9
    called = SPELLED.get(node.op, node.op.value)
    parts = []
    for operand in node.src:
        parts.append(_write(operand, names, room - len(called))[0])
        room -= len(parts[-1])
    if node.op in REDUCTION and len(node.arg) < node.src[0].ndim:
        parts.append(f"axis={node.arg[0] if len(node.arg) == 1 else node.arg}")
    return f"{called}({', '.join(parts)})", 9


def _packed(node: Node) -> Node | None:
    """Triangle of which a matrix is made, if it is: an equal expression is the same node."""
    if node.op is not Op.WHERE or node.ndim != 2 or node.src[1].op is not Op.GATHER:
        return None
    n, packed = node.shape[0], node.src[1].src[0]
    if not isinstance(n, int) or packed.shape != (n * (n + 1) // 2,):
        return None
    return packed if expand_packed_triangular(n, packed) is node else None


def _new_axes(node: Node) -> str:
    """Key by which a RESHAPE puts axes of length 1 in; empty where they stand in front only."""
    left = list(node.src[0].shape)
    keys: list[str] = []
    for dim in node.shape:
        kept = bool(left) and dim == left[0]
        keys.append(":" if kept else "None")
        left = left[kept:]
    shown = keys[keys.index(":") :] if ":" in keys and not left else []
    return ", ".join(shown) if "None" in shown else ""


def _long(node: Node) -> list[Dim]:
    """Axes that are more than a single element."""
    return [dim for dim in node.shape if dim != 1]


def _cut(start: int | None, stop: int | None, step: int) -> str:
    if step == 1 and start is not None and stop == (None if start == -1 else start + 1):
        return str(start)
    left, right = ("" if end is None else str(end) for end in (start, stop))
    return f"{left}:{right}" + ("" if step == 1 else f":{step}")
