"""The records of a schedule: tasks, the arrays they fill, and the loops around them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from exmc_dask.errors import CompileError
from exmc_dask.expressions.axes import Dim, Shape, show
from exmc_dask.expressions.graph import topological
from exmc_dask.expressions.ir import Node
from exmc_dask.expressions.ops import ELEMENTWISE, REDUCTION, Op
from exmc_dask.rewrite.lanes import Ragged

from .access import LANE, VARIABLES, VIEWS, ZERO, Element, Index, atom
from .normal import is_length, squeezed

CHEAP = frozenset(
    {
        Op.NEG, Op.ABS, Op.SIGN, Op.FLOOR, Op.NOT, Op.FLOAT, Op.ADD, Op.SUB, Op.MUL, Op.DIV,
        Op.SQRT, Op.MAXIMUM, Op.MINIMUM, Op.LT, Op.LE, Op.EQ, Op.AND, Op.OR, Op.WHERE,
    }
)  # fmt: skip
TRANSCENDENTAL = ELEMENTWISE - CHEAP
DEAR = TRANSCENDENTAL | REDUCTION | {Op.MATMUL}
"""Operations whose result is stored rather than calculated twice."""


class Kind(Enum):
    """What a task does with its value."""

    STORE = "store"
    ADD = "add"
    REDUCE = "reduce"
    SCAN = "scan"
    STEPS = "steps"  # the steps of a SCAN, on arrays made before
    CALL = "call"  # a function of linalg.py, on whole arrays
    PRODUCT = "product"  # a data matrix transposed times a vector, tile by tile
    RETURN = "return"


@dataclass(eq=False)
class Buffer:
    """Where a stored value lies, row-major.

    Attributes
    ----------
    node : Node
        The value.
    array : "work", "grad" or "out"
    shape : Shape
    label : str
        What the user calls it.
    offset : Index or None
        Place in `array`; None until ``work`` is given out.
    lead : int
        Leading axes along which an element is complete within one turn of the loop that makes it.
    """

    node: Node
    array: str
    shape: Shape
    label: str = ""
    offset: Index | None = None
    lead: int = 0


@dataclass(eq=False)
class Task:
    """One thing to do for every point of an index space.

    Attributes
    ----------
    kind : Kind
    node : Node
        What it makes.
    dims : tuple of Dim
        Index space, outermost loop first.
    values : tuple of Element
        What it evaluates; the first is stored, added or returned.
    target : Buffer or None
    at : tuple of Index
        Where in the target.
    makes : bool
        Whether ``values[0]`` is `node` itself, to be calculated and not read from `target`.
    fresh : bool
        Whether the target is to be filled with zeros first.
    kept : int
        Depth of loops at which a reduction is complete.
    after : list of Task
        Tasks on the same target that come first.
    """

    kind: Kind
    node: Node
    dims: tuple[Dim, ...] = ()
    values: tuple[Element, ...] = ()
    target: Buffer | None = None
    at: tuple[Index, ...] = ()
    makes: bool = False
    fresh: bool = False
    kept: int = 0
    after: "list[Task]" = field(default_factory=list)

    @property
    def is_sum_of_lane(self) -> bool:
        """Whether this adds up the elements of each lane of a ragged axis."""
        return self.kind is Kind.ADD and len(self.dims) == 1 and self.at == (atom(LANE),)

    def calculates(self, element: Element) -> bool:
        """Whether `element` is to be calculated although its value has a buffer: this fills it."""
        return self.makes and element is self.values[0]


@dataclass(eq=False)
class Loop:
    """A loop over `dim`, for `tasks`.

    With a tile, a loop over stretches of rows; with `lanes`, a loop over lanes around one over the
    elements of each.
    """

    dim: Dim
    body: "list[Step]"
    tasks: list[Task]
    tile: "Tile | None" = None
    lanes: Ragged | None = None


@dataclass(eq=False)
class Tile:
    """Three phases for each stretch of rows: matrix times vector, elements, products and scatters.

    Attributes
    ----------
    rows : int
        Length of a stretch.
    outputs : dict of Node to Buffer
        Products of a matrix whose elements the body reads.
    vectors : dict of Node to Buffer
        Values of the body that the last phase reads.
    last : list of Task
    """

    rows: int
    outputs: dict[Node, Buffer]
    vectors: dict[Node, Buffer]
    last: list[Task]


type Step = Task | Loop


@dataclass(frozen=True)
class Root:
    """A value that a function has to write to ``grad`` or ``out``."""

    node: Node
    array: str
    offset: Index
    label: str


def variables(shape: Shape, order: Sequence[int] | None = None) -> tuple[Index, ...]:
    """Loop variables for the axes of `shape`, in `order`; axes of length 1 have none."""
    if len(squeezed(shape)) > len(VARIABLES):
        raise CompileError(
            f"a value with axes {show(shape)} needs more than {len(VARIABLES)} loops"
        )
    names = iter(VARIABLES)
    at = [ZERO] * len(shape)
    for axis in range(len(shape)) if order is None else order:
        if shape[axis] != 1:
            at[axis] = atom(next(names))
    return tuple(at)


def whole(node: Node) -> Element:
    """Return an operand that is needed as a whole: no loop variable fits its index."""
    return Element(node, tuple(atom("all") for _ in node.shape))


def summand(element: Element) -> Element:
    """Return what an inner reduction adds up for one of its elements."""
    node = element.node
    kept = iter(element.at)
    names = iter(VARIABLES[len(squeezed(node.shape)) :])
    at = [
        (ZERO if dim == 1 else atom(next(names))) if axis in node.arg else next(kept)
        for axis, dim in enumerate(node.src[0].shape)
    ]
    return Element(node.src[0], tuple(at))


def is_reduction(node: Node) -> bool:
    """Whether a value is a SUM or MAX over something."""
    return node.op in REDUCTION and not is_length(node)


def is_inner(node: Node) -> bool:
    """Whether a reduction goes over the trailing axes."""
    long = [axis for axis, dim in enumerate(node.src[0].shape) if dim != 1]
    kept = [axis for axis in long if axis not in node.arg]
    return kept == long[: len(kept)]


def count_uses(roots: Sequence[Node]) -> dict[Node, int]:
    """How often each value is used, uses through views included."""
    order = topological(roots)
    uses = dict.fromkeys(order, 0)
    for root in roots:
        uses[root] += 1
    for node in reversed(order):
        for place, operand in enumerate(node.src):
            through = node.op in VIEWS and place == 0
            uses[operand] += max(1, uses[node]) if through else 1
    return uses
