"""Basis functions on a box: eigenfunctions of the Laplacian that are 0 on its sides.

Riutort-Mayol et al. (2022), Practical Hilbert space approximate Bayesian Gaussian processes for
probabilistic programming, sections 3.1 (one column) and 3.2 (several).
"""

import math as numbers
from dataclasses import dataclass

from exmc_dask import math
from exmc_dask.expressions.ir import Node, as_float, make
from exmc_dask.expressions.ops import Op


@dataclass(frozen=True)
class Box:
    """Where the basis functions live: from ``middle - reach`` to ``middle + reach``.

    Attributes
    ----------
    middle, reach : Node
        (d,), data slots.
    m : tuple of int
        Basis functions for each column.
    """

    middle: Node
    reach: Node
    m: tuple[int, ...]

    @property
    def frequencies(self) -> Node:
        """Square roots of the eigenvalues: (number of basis functions, d).

        All combinations of those of the columns, the last column running fastest.
        """
        # half a place on, so that no rounding of a quotient reaches the next whole number
        place = as_float(make(Op.RANGE, (), numbers.prod(self.m))) + 0.5
        found = []
        for k, n in enumerate(self.m):
            stride = numbers.prod(self.m[k + 1 :])
            counted = math.floor(place / float(stride))
            turns = math.floor(place / float(stride * n))
            found.append((counted - n * turns + 1.0) * (numbers.pi / 2) / self.reach[k])
        return math.stack(found, axis=1)

    def basis(self, X: Node) -> Node:
        """Eigenfunctions at places: (n, number of basis functions)."""
        frequencies = self.frequencies
        product: Node | None = None
        for k in range(len(self.m)):
            from_edge = X[:, k] - self.middle[k] + self.reach[k]
            wave = math.sin(math.outer(from_edge, frequencies[:, k])) / math.sqrt(self.reach[k])
            product = wave if product is None else product * wave
        assert product is not None
        return product
