"""Many chains as a GPU holds them: their states side by side, and how much room that takes.

Chains shared by several lanes lie one behind the other, so that lanes read neighbouring elements;
chains of one lane each lie side by side, element by element, so that threads do.
"""

from dataclasses import dataclass
from math import prod

import numpy as np

from ..runtime.chain import (
    ADAPT,
    DIAG,
    DIM,
    FLOAT_STATS,
    INT_STATS,
    INTS,
    MAX_TREEDEPTH,
    METRIC,
    N_SCALARS,
    N_SPREADS,
    N_VECTORS,
)
from ..runtime.tally import N_SLOTS
from ..runtime.walk import LEVEL_ROWS, N_REALS, STACK
from . import gpu

_OF_A_GROUP = ("walk", "work")  # what a gradient writes to


@dataclass(frozen=True)
class Plan:
    """Sizes of everything a batch needs on the device.

    Attributes
    ----------
    lanes : int
        That share a chain.
    chains, dim, rows : int
        Chains; length of a position; rows of a chain's ring of draws.
    groups : int
        Of lanes, that have a gradient: in step also those that fill the last block up.
    shapes : dict of str to tuple of int
        Of each array, of a single chain.
    """

    lanes: int
    chains: int
    dim: int
    rows: int
    groups: int
    shapes: dict[str, tuple[int, ...]]

    @classmethod
    def of(
        cls,
        lanes: int,
        i: np.ndarray,
        option_i: np.ndarray,
        work_size: int,
        n_out: int,
        rows: int,
        *,
        in_step: bool = False,
    ) -> "Plan":
        """Return the sizes for chains with the integers `i`, (chains, 12), and options.

        `in_step`: the groups of a block share tiles of data, so that all of them work.
        """
        dim, adapt = int(i[0, DIM]), int(i[0, ADAPT])
        assert (i[:, METRIC] == DIAG).all()
        depth = int(option_i[MAX_TREEDEPTH - len(INTS)])
        shapes = {
            "reals": (N_REALS,),
            "ints": (N_SLOTS,),
            "vector": (N_VECTORS[adapt], dim),
            "spread": (N_SPREADS[adapt], dim),
            "walk": (int(STACK) + int(LEVEL_ROWS) * depth, dim),
            "work": (max(1, work_size),),  # an array without elements has no address
            "q": (rows, dim),
            "stats_f": (rows, len(FLOAT_STATS)),
            "stats_i": (rows, len(INT_STATS)),
            "values": (rows, n_out),
        }
        block = max(gpu.BLOCKS) // lanes if in_step else 1  # a multiple of any block
        return cls(lanes, len(i), dim, rows, -(-len(i) // block) * block, shapes)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an array of all chains."""
        own, n = self.shapes[name], self.groups if name in _OF_A_GROUP else self.chains
        return (*own, n) if self.lanes == 1 else (n, *own)

    @property
    def size_bytes(self) -> int:
        """Bytes of all arrays; they do not depend on the number of draws."""
        return 8 * sum(prod(self.shape(name)) for name in self.shapes)

    def laid(self, rows: np.ndarray) -> np.ndarray:
        """Return an array with chains in front as the device holds it."""
        return np.ascontiguousarray(np.moveaxis(rows, 0, -1) if self.lanes == 1 else rows)

    def read(self, array: np.ndarray) -> np.ndarray:
        """Return an array of the device with chains in front."""
        return np.moveaxis(array, -1, 0) if self.lanes == 1 else array


def pack(
    plan: Plan, f: np.ndarray, i: np.ndarray, option_f: np.ndarray, option_i: np.ndarray
) -> dict[str, np.ndarray]:
    """Return what the device begins from.

    Parameters
    ----------
    plan : Plan
    f, i : (chains, n_f) float64, (chains, 12) int64
        States of all chains, as `chain` lays each out.
    option_f, option_i : (2,) float64, (5,) int64
        OPTION_FLOATS and OPTION_INTS.
    """
    n = plan.chains
    reals, ints = np.zeros((n, N_REALS)), np.zeros((n, N_SLOTS), np.int64)
    reals[:, :N_SCALARS] = f[:, :N_SCALARS]
    reals[:, N_SCALARS : N_SCALARS + len(option_f)] = option_f
    ints[:, : i.shape[1]] = i
    ints[:, i.shape[1] : i.shape[1] + len(option_i)] = option_i
    middle = N_SCALARS + prod(plan.shapes["spread"])
    return {
        "reals": plan.laid(reals),
        "ints": plan.laid(ints),
        "spread": plan.laid(f[:, N_SCALARS:middle].reshape(n, *plan.shapes["spread"])),
        "vector": plan.laid(f[:, middle:].reshape(n, *plan.shapes["vector"])),
    }


def unpack(plan: Plan, arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the states of all chains, (chains, n_f) and (chains, 12), from the device's arrays."""
    n = plan.chains
    f = np.concatenate(
        [
            plan.read(arrays["reals"])[:, :N_SCALARS],
            plan.read(arrays["spread"]).reshape(n, -1),
            plan.read(arrays["vector"]).reshape(n, -1),
        ],
        axis=1,
    )
    return f, np.ascontiguousarray(plan.read(arrays["ints"])[:, : len(INTS)])
