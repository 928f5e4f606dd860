"""Predictive draws made here where they are few, and by workers where they are many."""

from collections.abc import Iterator, Mapping
from math import prod

import numpy as np

from exmc_dask.cluster.plan.moves import BlockResult
from exmc_dask.errors import ModelError
from exmc_dask.inference.state import FitState, Made
from exmc_dask.language.builder import Model
from exmc_dask.options import Place
from exmc_dask.predictive.forward import Forward
from exmc_dask.predictive.plan import Plan
from exmc_dask.predictive.portions import Making, Portions
from exmc_dask.predictive.trace import Trace

PURPOSES = {"prior": 1, "posterior": 2}  # one seed gives the two calls numbers of their own
MANY = 2**25  # numbers that take more than a second here, and so are worth a cluster's attention


def carried_out(
    model: Model, todo: Plan, held: Trace, seed: int, purpose: str, place: Place
) -> dict[str, np.ndarray]:
    """Return arrays ``(row, draw, *shape)`` of the wanted names.

    Parameters
    ----------
    model : Model
    todo : Plan
    held : Trace
    seed : int
    purpose : str
        Of PURPOSES.
    place : Place
        Where they are made. Without a client and a cluster it is here if there are few, and if a
        function of the user's makes some of them.

    Raises
    ------
    ModelError
        A variable cannot be drawn; or only here, and `place` is elsewhere.
    """
    forward = Forward(todo, model.data, model.sizes.lengths, model.draws)
    forward.check()
    making = Making(forward, seed, PURPOSES[purpose])
    kept = {name: held.fitting(name, forward.shape_of(name)) for name in todo.kept}
    width = sum(prod(forward.shape_of(name)) for name in (*todo.kept, *todo.drawn, *todo.made))
    portions = Portions.of(held.keys, held.rows[1], width)
    bound = sorted(set(todo.drawn) & forward.by.keys())
    chosen = place.client is not None or place.cluster is not None
    if chosen and bound:
        raise ModelError(
            f"'{bound[0]}' is drawn by a function that stays in the process which declared the "
            "model; leave out client= and cluster= to draw here, or give Custom logcdf= instead, "
            "which travels"
        )
    result = _Result(portions, held.rows)
    if chosen or (prod(held.rows) * width >= MANY and not bound):
        _spread(making, portions, kept, place, result)
    else:
        for number in range(len(portions)):
            for chunk in portions.chunks(number):
                values = {name: array[chunk.row, chunk.draws] for name, array in kept.items()}
                result.put(chunk.row, chunk.draws, making.chunk(chunk, values))
    return result.arrays


class _Result:
    """The arrays that all portions fill together."""

    def __init__(self, portions: Portions, rows: tuple[int, int]) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self._portions, self._rows = portions, rows

    def put(self, row: int, draws: slice, made: Mapping[str, np.ndarray]) -> None:
        """Take some draws of a row."""
        for name, array in made.items():
            if name not in self.arrays:
                self.arrays[name] = np.empty((*self._rows, *array.shape[1:]), array.dtype)
            self.arrays[name][row, draws] = array

    def block(self, result: BlockResult) -> None:
        """Take a portion."""
        row, draws = self._portions.place(result.unit)
        assert isinstance(result.draws, Made)
        self.put(row, slice(draws.start, draws.stop), result.draws.arrays)


def _spread(
    making: Making,
    portions: Portions,
    kept: Mapping[str, np.ndarray],
    place: Place,
    result: _Result,
) -> None:
    """Have portions made wherever chains could run, and made again where workers die."""
    from exmc_dask.cluster.engines.forward import spec_of
    from exmc_dask.cluster.session import session

    with session(
        spec_of(making, portions),
        range(len(portions)),
        1,
        client=place.client,
        cluster=place.cluster,
        progressbar=place.progressbar,
        states=dict(_states(portions, kept)),
        on_block=result.block,
        keep=False,
    ) as driver:
        driver.wait()


def _states(portions: Portions, kept: Mapping[str, np.ndarray]) -> Iterator[tuple[int, FitState]]:
    """Go over the portions with the draws of the trace that each needs, none of them copied."""
    for number in range(len(portions)) if kept else ():
        row, draws = portions.place(number)
        part = {name: array[row, draws.start : draws.stop] for name, array in kept.items()}
        yield number, FitState(number, 0, part)
