"""The emitted module: imports, ``logp_grad`` and ``expand``."""

from dataclasses import dataclass
from types import ModuleType

from exmc_dask.density import LogDensity
from exmc_dask.ir import Node
from . import dialect_cpu
from .access import VIEWS, ZERO, Axes, Index, number
from .bind import Storage
from .emit import Function
from .normal import normalise
from .schedule import Root, Schedule
from .source import Writer
from exmc_dask.ops import LEAF, Op

_SIGNATURE = "f8[::1], f8[::1], f8[::1], f4[::1], i8[::1], f8[::1]"


@dataclass(frozen=True)
class Program:
    """Text of a kernel and what binding its data needs."""

    source: str
    storage: Storage
    n_out: int


def write(density: LogDensity, dialect: ModuleType = dialect_cpu) -> Program:
    """Translate a log-density into the text of a module."""
    outputs = [output.node for output in density.outputs]
    terms = [node for _, node in density.terms]
    declared = [density.logp, *density.grads, *outputs, *terms]
    nodes = normalise(declared)
    logp, grads = nodes[0], nodes[1 : 1 + len(density.grads)]
    outs = nodes[1 + len(grads) : 1 + len(grads) + len(outputs)]
    axes = Axes([*nodes, *declared], [slot.shape for slot in density.slots])
    storage = Storage(density.slots, [logp, *grads, *outs], axes)
    hints: dict[Node, str] = {}
    for (name, _), node in zip(density.terms, nodes[1 + len(grads) + len(outs) :], strict=True):
        _hint(hints, node, f"logp_{name}")
    for output, node in zip(density.outputs, outs, strict=True):
        _hint(hints, node, output.name)

    entries = density.layout.entries
    gradient = Schedule(
        axes,
        [
            Root(node, "grad", number(entry.offset), entry.name)
            for node, entry in zip(grads, entries, strict=True)
        ],
        logp,
    )
    place: Index = ZERO
    roots = []
    for output, node in zip(density.outputs, outs, strict=True):
        roots.append(Root(node, "out", place, output.name))
        place = place + axes.size(node.shape)
    functions = [
        ("logp_grad", "f8", "grad", gradient, "Return the log density at `q`; write its gradient"),
        (
            "expand", "void", "out", Schedule(axes, roots, None),
            "Write what is kept of the draw at `q`: " + ", ".join(o.name for o in density.outputs),
        ),
    ]  # fmt: skip
    bodies: list[tuple[Function, str]] = []
    for _, _, second, schedule, _ in functions:
        arguments = ("q", second, "data", "data32", "index", "work")
        function = Function(schedule, storage, density.layout, hints, dialect, arguments)
        function.steps(schedule.steps, 0)
        bodies.append(function)
    writer = Writer()
    writer.line('"""Log density, gradient and outputs of a model; written by exmc_dask."""')
    writer.line()
    called = set().union(*(function.called for function in bodies))
    for module, names in {"math": dialect.IMPORTS["math"], "numba": {"njit"}}.items():
        used = sorted(names & (called | {"njit"}))
        if used:
            writer.line(f"from {module} import {', '.join(used)}")
    writer.line()
    for module, names in dialect.IMPORTS.items():
        used = sorted(names & called)
        if used and module != "math":
            writer.line(f"from {module} import {', '.join(used)}")
    for (name, result, second, _, doc), function in zip(functions, bodies, strict=True):
        header = [
            f"{field} = index[{place}]"
            for place, field in enumerate(storage.header)
            if field in function.header
        ]
        writer.line()
        writer.line()
        writer.block(
            f'@njit(\n    "{result}({_SIGNATURE})",\n    cache=True, error_model="numpy", '
            f'fastmath={{"contract"}}, nogil=True,\n)\n'
            f"def {name}(q, {second}, data, data32, index, work):",
            [f'"""{doc}."""', *header, *function.unpacked, *function.regions[0].lines],
        )
    return Program(str(writer), storage, place.constant if place.constant is not None else -1)


def _hint(hints: dict[Node, str], node: Node, name: str) -> None:
    """Call `node`, or what it is a view of, `name`."""
    while node.op in VIEWS:
        node = node.src[0]
    if node.op not in LEAF or node.op is Op.PARAM:
        hints.setdefault(node, name)
