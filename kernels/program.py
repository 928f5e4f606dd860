"""The emitted module: imports, ``logp_grad`` and ``expand``."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple

from exmc_dask.expressions.ir import Node
from exmc_dask.expressions.ops import LEAF, Op
from exmc_dask.lowering.density import LogDensity

from . import dialect_cpu, dialect_cuda, parts
from .access import VIEWS, ZERO, Axes, identifier, number
from .bind import Storage
from .cost import Count
from .emit import Function
from .lanes import LaneFunction
from .normal import normalise
from .schedule import Schedule
from .source import indented
from .steps import opened
from .stored import Stored
from .tasks import Root


@dataclass(frozen=True)
class Program:
    """Text of a kernel, what binding its data needs, and what a gradient costs."""

    source: str
    storage: Storage
    count: Count


class Target(NamedTuple):
    """The words of a target, and who writes functions in them."""

    dialect: ModuleType
    function: type[Function]


TARGETS = {
    "cpu": Target(dialect_cpu, Function),
    "cuda": Target(dialect_cuda, LaneFunction),
}


def write(density: LogDensity, target: str = "cpu") -> Program:
    """Translate a log-density into the text of a module.

    Raises
    ------
    CompileError
        An operation has no row in the table of the target's dialect.
    """
    dialect = TARGETS[target].dialect
    stored = [node for _, node in density.stored]
    apart = {name for names in density.rolled for name in names}
    terms = [(name, node) for name, node in density.terms if name not in apart]
    declared = [density.logp, *density.grads, *stored, *(node for _, node in terms)]
    nodes = normalise(declared)
    logp, grads = nodes[0], nodes[1 : 1 + len(density.grads)]
    values = nodes[1 + len(grads) : 1 + len(grads) + len(stored)]

    scans = opened([logp, *grads, *values])
    inner = [piece for steps in scans.values() for piece in steps.pieces]
    shapes = [slot.shape for slot in density.slots]
    axes = Axes([*nodes, *declared, *inner], shapes, density.ragged)
    for steps in scans.values():
        steps.tell(axes)
    storage = Storage(density.slots, [logp, *grads, *values], axes, inner)
    hints: dict[Node, str] = {}
    for (name, _), node in zip(density.stored, values, strict=True):
        _hint(hints, node, name)
    for (name, _), node in zip(terms, nodes[len(nodes) - len(terms) :], strict=True):
        _hint(hints, node, f"logp_{name}")

    def function(second: str, roots: Sequence[Root], result: Node | None) -> Function:
        arguments = ("q", second, "data", "data32", "index", "work")
        schedule = Schedule(Stored.of_function(axes, scans, roots, result))
        written = TARGETS[target].function(
            schedule, storage, density.layout, hints, dialect, arguments
        )
        written.write()
        return written

    entries = density.layout.entries
    gradient = function(
        "grad",
        [
            Root(g, "grad", number(e.offset), identifier(e.name))
            for g, e in zip(grads, entries, strict=True)
        ],
        logp,
    )
    roots = []
    place = ZERO
    for (name, _), node in zip(density.stored, values, strict=True):
        roots.append(Root(node, "out", place, identifier(name)))
        place = place + axes.size(node.shape)
    expand = function("out", roots, None)
    called = gradient.called | expand.called
    lines = [
        '"""Log density, gradient and outputs of a model; written by exmc_dask."""',
        "",
        *_imports(called | dialect.ALWAYS, dialect),
        *_define("logp_grad", "f8", gradient, "Return the log density at `q`; write its gradient."),
        *_define("expand", "void", expand, "Write what is kept of the draw at `q`."),
        *dialect.DRIVERS,
    ]
    return Program("\n".join(lines) + "\n", storage, gradient.count)


def _hint(hints: dict[Node, str], node: Node, name: str) -> None:
    """Call `node`, or what it is a view of, `name`."""
    while node.op in VIEWS:
        node = node.src[0]
    if node.op not in LEAF or node.op is Op.PARAM:
        hints.setdefault(node, identifier(name))


def _imports(called: set[str], dialect: ModuleType) -> list[str]:
    own = [
        line
        for module, names in dialect.IMPORTS.items()
        if (line := _import(module, names & called))
    ]
    outside = [line for line in own if not line.startswith("from .")]
    inside = [line for line in own if line.startswith("from .")]
    return [*outside, *dialect.OUTSIDE, "", *inside]


def _import(module: str, names: set[str]) -> str:
    return f"from {module} import {', '.join(sorted(names))}" if names else ""


def _define(name: str, result: str, function: Function, doc: str) -> list[str]:
    """Return the lines of a function: signature, header, arrays, body; before it, its parts."""
    arguments = tuple(function.unpacked)
    body = [
        *(
            f"{field} = index[{place}]"
            for place, field in enumerate(function.storage.header)
            if field in function.header
        ),
        *(line for lines in function.unpacked.values() for line in lines),
        *function.regions[0].lines,
    ]
    before: list[str] = []
    if len(body) > parts.LONG:
        found, body = parts.divide(body)
        calls: list[str] = []
        for i, part in enumerate(found):
            own = function.names.fresh(f"{name}_{i + 1}")
            before += ["", "", *parts.define(own, arguments, part, function.dialect.PART)]
            calls += parts.call(own, arguments, part)
        body = [*calls, *body]
    return [
        *before,
        "",
        "",
        *function.dialect.decorator(result),
        f"def {name}({', '.join(arguments)}):",
        *indented([f'"""{doc}"""', *body]),
    ]
