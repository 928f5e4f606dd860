"""What a SCAN does in one step: an expression of the carry, of rows of sequences, of constants.

A SCAN has operands ``(init, *sequences, *constants)``. For each of `Body.leaves` the body has a
LOCAL leaf that stands for it: the carry for ``init``, one row for a sequence, the whole for a
constant. The value of the SCAN is a matrix with the rows that ``Body.root`` gives, one a step, and
one more row at the end where it began. That one holds ``init``; what it holds behind the carry is
never read.
"""

from dataclasses import dataclass

from exmc_dask.expressions.axes import Dim, Shape, joined
from exmc_dask.expressions.ir import Node, make
from exmc_dask.expressions.ops import Op


@dataclass(frozen=True)
class Body:
    """One step of a SCAN.

    Attributes
    ----------
    root : Node
        (width,) float64: the new carry, then what is kept of the step beside it.
    leaves : tuple of Node
        LOCAL leaf of every operand, numbered in order: the carry (n_carry,), a row of each
        sequence, the constants.
    n_sequences : int
    length : Dim
        Number of steps: the length of the sequences.
    reverse : bool
        Whether the last row of the sequences comes first.
    """

    root: Node
    leaves: tuple[Node, ...]
    n_sequences: int
    length: Dim
    reverse: bool = False

    @property
    def n_carry(self) -> int:
        """Number of elements of the carry."""
        return _fixed(self.leaves[0].shape)

    @property
    def width(self) -> int:
        """Number of elements of a row of the result."""
        return _fixed(self.root.shape)

    @property
    def sequences(self) -> range:
        """Places of the sequences among the operands."""
        return range(1, 1 + self.n_sequences)

    @property
    def constants(self) -> range:
        """Places of the constants among the operands."""
        return range(1 + self.n_sequences, len(self.leaves))

    @property
    def steps(self) -> slice:
        """Rows of the result that steps made."""
        return slice(None, -1) if self.reverse else slice(1, None)

    @property
    def before(self) -> slice:
        """Rows of the result from which the steps began."""
        return slice(1, None) if self.reverse else slice(None, -1)

    @property
    def first(self) -> int:
        """Row of the result that holds ``init``."""
        return -1 if self.reverse else 0

    @property
    def last(self) -> int:
        """Row of the result that the last step made."""
        return 0 if self.reverse else -1

    @property
    def rows(self) -> Dim:
        """Number of rows of the result."""
        return joined((1, self.length))


def _fixed(shape: Shape) -> int:
    (size,) = shape
    assert isinstance(size, int)  # INFER lets nothing else pass
    return size


def local(place: int, like: Node, is_row: bool = False) -> Node:
    """Return the LOCAL leaf for an operand; for a row of it, of a sequence."""
    shape = like.shape[1:] if is_row else like.shape
    return make(Op.LOCAL, (), place, shape, like.dtype)
