"""Draw by draw: what `Run.stream` makes of the blocks of a run."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc_dask.cluster.plan.moves import BlockResult
from exmc_dask.sampler.state import FLOAT_STATS, INT_STATS

_BOOLS = frozenset({"diverging", "reached_max_treedepth"})


@dataclass(frozen=True, slots=True)
class Draw:
    """One kept draw of one chain.

    Attributes
    ----------
    chain, draw : int
        As in the coordinates of the result: draws count from the end of warmup.
    point : mapping of str to float or ndarray
        Values of the variables that are kept, as declared.
    stat : mapping of str to float, int, bool or str
        The statistics of ``sample_stats``.
    """

    chain: int
    draw: int
    point: Mapping[str, Any]
    stat: Mapping[str, Any]


def draws_of(
    block: BlockResult,
    outputs: Sequence[tuple[str, tuple[int, ...]]],
    tune: int,
    low: int,
    high: float,
) -> Iterator[Draw]:
    """Take a block apart.

    Parameters
    ----------
    block : BlockResult
    outputs : sequence of (str, tuple of int)
        Names and shapes of the columns of its values.
    tune : int
    low, high : int
        Bounds of the draw numbers that are wanted, counted from the end of warmup.
    """
    draws = block.draws
    numbers = (draws.numbers - tune).tolist()
    wanted = [(row, number) for row, number in enumerate(numbers) if low <= number < high]
    if not wanted:
        return
    values, stats_f, stats_i = draws.values, draws.stats_f, draws.stats_i  # read once, if at all
    for row, number in wanted:
        stat = {
            **dict(zip(FLOAT_STATS, stats_f[row].tolist(), strict=True)),
            **dict(zip(INT_STATS, stats_i[row].tolist(), strict=True)),
        }
        yield Draw(
            chain=block.unit,
            draw=number,
            point=_point(values[row], outputs),
            stat={
                **{k: bool(v) if k in _BOOLS else v for k, v in stat.items()},
                "worker": block.worker,
                "attempt": block.attempt,
            },
        )


def _point(
    values: NDArray[np.float64], outputs: Sequence[tuple[str, tuple[int, ...]]]
) -> dict[str, Any]:
    point: dict[str, Any] = {}
    column = 0
    for name, shape in outputs:
        size = math.prod(shape)
        part = values[column : column + size]
        point[name] = part.reshape(shape).copy() if shape else float(part[0])
        column += size
    return point
