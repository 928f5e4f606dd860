"""The emitted module: imports, ``logp_grad`` and ``expand``."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple

from exmc_dask.expressions.ir import Node
from exmc_dask.expressions.ops import LEAF, Op
from exmc_dask.lowering.density import LogDensity

from ..analysis.access import VIEWS, ZERO, Axes, identifier, number
from ..analysis.normal import normalise
from ..analysis.schedule import Schedule
from ..analysis.steps import opened
from ..analysis.stored import Stored
from ..analysis.tasks import Root
from . import dialect_cpu, dialect_cuda, parts
from .bind import Storage
from .cost import Count
from .emit import Function
from .lanes import LaneFunction
from .source import indented
from .tiled import Matrix, TiledFunction, matrices


@dataclass(frozen=True)
class Program:
    """Text of a kernel, what binding its data needs, and what a gradient costs.

    Attributes
    ----------
    source : str
    storage : Storage
    count : Count
    matrices : tuple of Matrix
        Data matrices of which the chains of a block could share tiles.
    """

    source: str
    storage: Storage
    count: Count
    matrices: tuple[Matrix, ...]


class Target(NamedTuple):
    """The words of a target, who writes functions in them, and what every module has besides.

    Attributes
    ----------
    dialect : module
    gradient, outputs : type of Function
    always : frozenset of str
        Names that every emitted module calls.
    drivers : tuple of str
        Lines behind the two functions.
    """

    dialect: ModuleType
    gradient: type[Function]
    outputs: type[Function]
    always: frozenset[str]
    drivers: tuple[str, ...]


TARGETS = {
    "cpu": Target(dialect_cpu, Function, Function, dialect_cpu.ALWAYS, dialect_cpu.DRIVERS),
    "cuda": Target(
        *(dialect_cuda, LaneFunction, LaneFunction, dialect_cuda.ALWAYS, dialect_cuda.DRIVERS)
    ),
}
_IN_STEP = Target(
    *(dialect_cuda, TiledFunction, LaneFunction),
    *(dialect_cuda.ALWAYS_IN_STEP, dialect_cuda.DRIVERS_IN_STEP),
)


def write(density: LogDensity, target: str = "cpu", tile: int = 0) -> Program:
    """Translate a log-density into the text of a module.

    Parameters
    ----------
    density : LogDensity
    target : "cpu" or "cuda"
    tile : int
        Rows of data matrices that the chains of a block share on a GPU, a multiple of 32 that
        fits (`tiled.rows_that_fit`); 0: each chain reads for itself.

    Raises
    ------
    CompileError
        An operation has no row in the table of the target's dialect.
    """
    means = _IN_STEP if tile else TARGETS[target]
    dialect = means.dialect
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

    def function(
        kind: type[Function], second: str, roots: Sequence[Root], result: Node | None, tile: int
    ) -> Function:
        arguments = ("q", second, "data", "data32", "index", "work")
        schedule = Schedule(Stored.of_function(axes, scans, roots, result), tile)
        written = kind(schedule, storage, density.layout, hints, dialect, arguments)
        written.write()
        return written

    entries = density.layout.entries
    gradient = function(
        means.gradient,
        "grad",
        [
            Root(g, "grad", number(e.offset), identifier(e.name))
            for g, e in zip(grads, entries, strict=True)
        ],
        logp,
        tile,
    )
    roots = []
    place = ZERO
    for (name, _), node in zip(density.stored, values, strict=True):
        roots.append(Root(node, "out", place, identifier(name)))
        place = place + axes.size(node.shape)
    expand = function(means.outputs, "out", roots, None, 0)
    called = gradient.called | expand.called
    lines = [
        '"""Log density, gradient and outputs of a model; written by exmc_dask."""',
        "",
        *_imports(called | means.always, dialect),
        *_define("logp_grad", "f8", gradient, "Return the log density at `q`; write its gradient."),
        *_define("expand", "void", expand, "Write what is kept of the draw at `q`."),
        *means.drivers,
    ]
    return Program("\n".join(lines) + "\n", storage, gradient.count, matrices(gradient))


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
        given = (*arguments, *function.near)
        for i, part in enumerate(found):
            own = function.names.fresh(f"{name}_{i + 1}")
            before += ["", "", *parts.define(own, given, part, function.dialect.PART)]
            calls += parts.call(own, given, part)
        body = [*calls, *body]
    near = [f"{name} = {array}" for name, array in function.near.items()]
    return [
        *before,
        "",
        "",
        *function.dialect.decorator(result),
        f"def {name}({', '.join(arguments)}):",
        *indented([f'"""{doc}"""', *near, *body]),
    ]
