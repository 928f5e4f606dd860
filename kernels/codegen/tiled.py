"""Loop nests to text where the chains of a block read large matrices together, tile by tile."""

from dataclasses import dataclass

from exmc_dask.expressions.ir import Node

from ..analysis.access import Index
from ..analysis.normal import data_of
from .emit import Function
from .lanes import LaneFunction

SHARED_BYTES = 48 * 1024
"""Memory of a block that a kernel may have without asking for more, on every GPU."""
TILE_STEP = 32
"""Rows of data that a tile there is a multiple of, so that every lane has as many."""
MOST_ROWS = 512
"""Rows of a tile at most: each chain keeps some vectors of this length for itself."""


@dataclass(frozen=True)
class Matrix:
    """A data matrix that a gradient runs through by rows.

    Attributes
    ----------
    name : str
    size : Index
        Number of elements.
    row_bytes : int
    item_bytes : int
    """

    name: str
    size: Index
    row_bytes: int
    item_bytes: int


def rows_that_fit(matrices: tuple[Matrix, ...]) -> int:
    """Return how many rows of all matrices fit into the memory of a block; 0: too few, or none."""
    if not matrices:
        return 0
    row_bytes = sum(matrix.row_bytes for matrix in matrices)
    return min(MOST_ROWS, SHARED_BYTES // row_bytes // TILE_STEP * TILE_STEP)


class TiledFunction(LaneFunction):
    """One emitted function whose matrices are read by a block's threads together.

    Only the loops of its own are tiled, which every chain runs through in every call: in a step of
    a scan, and outside of all loops, matrices are read as ever.
    """

    def write(self) -> None:
        """Write the whole schedule."""
        self._tiles: dict[Node, str] = {}
        for data in self.schedule.matrices():
            name = self.names.fresh(f"shared_{self.describe(data)}")
            size = self.width(data).constant
            assert size is not None
            kind = "float32" if self.item_size(data) == 4 else "float64"
            self.near[name] = (
                f"{self.call('cuda')}.shared.array({size * self.schedule.tile}, {self.call(kind)})"
            )
            self._tiles[data] = name
        super().write()

    def _fetch(self, matrices: list[Node], n: str) -> None:
        for data in dict.fromkeys(map(data_of, matrices)):
            if self._is_shared(data):
                whole = ", ".join(super()._columns(data, n))
                near = f"{self._tiles[data]}, {self.schedule.tile}"
                self._lines.append(f"{self.call('fetch')}({whole}, {near})")

    def _columns(self, matrix: Node, n: str) -> list[str]:
        data = data_of(matrix)
        if not self._is_shared(data):
            return super()._columns(matrix, n)
        width = self.index(self.width(data)).text
        return [self._tiles[data], str(self.schedule.tile), width, "0", "rows"]

    def _is_shared(self, data: Node) -> bool:
        """Whether a matrix is read by tiles where the text is now."""
        return data in self._tiles and bool(self.schedule.tile)


def matrices(function: Function) -> tuple[Matrix, ...]:
    """Return the matrices that a function could read by tiles."""
    found = []
    for data in function.schedule.matrices():
        width, item_bytes = function.width(data).constant, function.item_size(data)
        assert width is not None
        size = function.axes.size(data.shape)
        found.append(Matrix(data.arg, size, width * item_bytes, item_bytes))
    return tuple(found)
