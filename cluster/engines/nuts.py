"""NUTS on the CPU or a GPU as an engine: the place where model, kernel and sampler meet."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc_dask import kernels
from exmc_dask.errors import BadStart
from exmc_dask.kernels import build
from exmc_dask.kernels.runtime.chain import FLOAT_STATS, INT_STATS
from exmc_dask.language.model import ModelSpec
from exmc_dask.lowering.density import LogDensity, lower
from exmc_dask.sampler import block
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.start import start
from exmc_dask.sampler.state import ChainState, Draws

from ..messages.wire import Spec


@dataclass(frozen=True)
class Prepared:
    """A compiled model with its data and settings; see `exmc_dask.cluster.worker.worker.Engine`."""

    density: LogDensity
    slots: Mapping[str, NDArray[Any]]
    kernel: kernels.Kernel
    bound: kernels.Bound
    settings: Settings
    support_point: NDArray[np.float64]
    fingerprint: str

    @property
    def row_bytes(self) -> int:
        """Size of one draw with its statistics."""
        stored = self.kernel.dim if self.settings.store_unconstrained else 0
        return 8 * (self.bound.n_out + stored + len(FLOAT_STATS) + len(INT_STATS))

    def start(self, unit: int, initial: NDArray[np.float64] | None) -> ChainState:
        """Return the state before a chain's first draw."""
        with naming_broken_terms(self.density, self.slots):
            return start(self.kernel, self.bound, self.settings, unit, self.support_point, initial)

    def run(
        self, state: ChainState, n: int, control: NDArray[np.int64]
    ) -> tuple[ChainState, Draws]:
        """Draw ``n`` times, or fewer if ``control`` says so."""
        return block.run(self.kernel, self.bound, self.settings, state, n, control)


@contextmanager
def naming_broken_terms(density: LogDensity, slots: Mapping[str, NDArray[Any]]) -> Iterator[None]:
    """Let a BadStart say which terms of the density are not finite."""
    try:
        yield
    except BadStart as error:
        names = ", ".join(map(repr, density.broken_terms(error.q, slots)))
        message = f"{error}; not finite there: {names or 'the gradient'}"
        raise BadStart(message, error.q, error.grad, error.logp) from None


def prepare(spec: Spec) -> Prepared:
    """Compile the model of a spec and bind its data."""
    density = lower(ModelSpec.from_bytes(spec.model), **spec.options)
    kernel = kernels.compile(density, spec.target)
    settings = Settings.from_dict(spec.settings)
    block.compile_sampler(spec.target, settings)  # here, so that it counts as compiling
    return Prepared(
        density=density,
        slots=spec.data,
        kernel=kernel,
        bound=kernel.bind(spec.data),
        settings=settings,
        support_point=np.asarray(spec.support_point, np.float64),
        fingerprint=json.dumps(build.fingerprint(spec.target), sort_keys=True),
    )
