"""NUTS on many sets of data with one compiled model: a unit is a chain of one of the sets."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc_dask.sampler.state import ChainState, Draws

from ..messages.wire import Spec
from ..plan.nouns import place_of
from . import nuts
from .nuts import Prepared

_N_BOUND = 64  # sets whose data a process keeps laid out
_COMMON, _OWN, _SHAPES = "common/", "own/", "shapes/"  # of names of arrays


def join(spec: Spec, sets: Sequence[Spec], called: Sequence[str]) -> Spec:
    """Return one spec for specs that differ in data and support points, given their sets' names.

    What all sets have in common is there once; all else of a slot lies in one array, end to end.
    """
    data: dict[str, NDArray[Any]] = {}
    for slot, first in sets[0].data.items():
        arrays = [one.data[slot] for one in sets]
        if all(array is first or np.array_equal(array, first) for array in arrays):
            data[_COMMON + slot] = first
        else:
            data[_OWN + slot] = np.concatenate([array.reshape(-1) for array in arrays])
            data[_SHAPES + slot] = np.array([array.shape for array in arrays], np.int64)
    support_points = np.stack([one.support_point for one in sets])
    engine = f"{__name__}:prepare"
    return replace(spec, data=data, support_point=support_points, engine=engine, sets=tuple(called))


def part(spec: Spec) -> list[dict[str, NDArray[Any]]]:
    """Return the data of each set by slot, from a spec that `join` made."""
    sets: list[dict[str, NDArray[Any]]] = [{} for _ in spec.support_point]
    for name, array in spec.data.items():
        if name.startswith(_COMMON):
            for one in sets:
                one[name.removeprefix(_COMMON)] = array
        elif name.startswith(_OWN):
            slot, at = name.removeprefix(_OWN), 0
            for one, shape in zip(sets, spec.data[_SHAPES + slot], strict=True):
                size = int(shape.prod())
                one[slot] = array[at : at + size].reshape(shape)
                at += size
    return sets


def seed_of(seed: int, k: int) -> int:
    """Return the seed of set `k`: `exmc_dask.sample` with it gives the same draws."""
    sequence = np.random.SeedSequence(seed, spawn_key=(k,))
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))


class Many:
    """A compiled model and many sets of data; see `exmc_dask.cluster.worker.worker.Engine`.

    Parameters
    ----------
    first : Prepared
        The model with the data of the first set.
    sets : sequence of mapping
        The data of each set by slot.
    support_points : (n_sets, dim) float64
    """

    def __init__(
        self,
        first: Prepared,
        sets: Sequence[Mapping[str, NDArray[Any]]],
        support_points: NDArray[np.float64],
    ) -> None:
        self.fingerprint = first.fingerprint
        self.row_bytes = first.row_bytes
        self._first, self._sets, self._support_points = first, sets, support_points
        self._prepared = lru_cache(_N_BOUND)(self._prepare)

    def start(self, unit: int, initial: NDArray[np.float64] | None) -> ChainState:
        """Return the state before a chain's first draw."""
        k, chain = place_of(unit, len(self._sets))
        return self._prepared(k).start(chain, initial).replace(chain=unit)

    def run(
        self, state: ChainState, n: int, control: NDArray[np.int64]
    ) -> tuple[ChainState, Draws]:
        """Draw ``n`` times, or fewer if ``control`` says so."""
        k, chain = place_of(state.chain, len(self._sets))
        after, draws = self._prepared(k).run(state.replace(chain=chain), n, control)
        return after.replace(chain=state.chain), draws

    def _prepare(self, k: int) -> Prepared:
        first = self._first
        return replace(
            first,
            slots=self._sets[k],
            bound=first.kernel.bind(self._sets[k]),
            settings=replace(first.settings, seed=seed_of(first.settings.seed, k)),
            support_point=self._support_points[k],
        )


def prepare(spec: Spec) -> Many:
    """Compile the model of a spec that `join` made."""
    sets = part(spec)
    one = replace(spec, data=sets[0], support_point=spec.support_point[0])
    return Many(nuts.prepare(one), sets, spec.support_point)
