"""Parts of fits as units of a run: an engine for each method of `exmc_dask.inference`.

A spec names its engine as ``exmc_dask.cluster.engines.fit:METHOD``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc_dask import kernels
from exmc_dask.inference import advi as variational
from exmc_dask.inference import mode as modes
from exmc_dask.inference import pathfinder as paths
from exmc_dask.inference import smc as populations
from exmc_dask.inference.settings import (
    AdviSettings,
    ModeSettings,
    PathfinderSettings,
    SmcSettings,
)
from exmc_dask.inference.state import FitState
from exmc_dask.kernels import build
from exmc_dask.language.model import ModelSpec
from exmc_dask.lowering.density import LogDensity, lower
from exmc_dask.sampler.checked import Checked
from exmc_dask.sampler.state import Draws

from ..messages.wire import Spec
from .nuts import naming_broken_terms

METHODS: dict[str, tuple[ModuleType, type[Checked]]] = {
    "mode": (modes, ModeSettings),
    "pathfinder": (paths, PathfinderSettings),
    "smc": (populations, SmcSettings),
    "advi": (variational, AdviSettings),
}


@dataclass(frozen=True)
class Fit:
    """A method with a compiled model; see `exmc_dask.cluster.worker.worker.Engine`."""

    density: LogDensity
    slots: Mapping[str, NDArray[Any]]
    method: ModuleType
    kernel: kernels.Kernel
    bound: kernels.Bound
    settings: Any
    support_point: NDArray[np.float64]
    fingerprint: str
    row_bytes: int = 8  # steps are as many as time allows

    def start(self, unit: int, initial: NDArray[np.float64] | None) -> FitState:
        """Return the state before a unit's first step."""
        with naming_broken_terms(self.density, self.slots):
            state: FitState = self.method.start(
                self.kernel, self.bound, self.settings, unit, self.support_point, initial
            )
        return state

    def run(self, state: FitState, n: int, control: NDArray[np.int64]) -> tuple[FitState, Draws]:
        """Take ``n`` steps, or fewer if ``control`` says so or the unit is finished."""
        after: tuple[FitState, Draws] = self.method.run(
            self.kernel, self.bound, self.settings, state, n, control
        )
        return after


def prepare(method: str, spec: Spec) -> Fit:
    """Compile the model of a spec and bind its data."""
    density = lower(ModelSpec.from_bytes(spec.model), **spec.options)
    kernel = kernels.compile(density, spec.target)
    module, kind = METHODS[method]
    settings = kind.from_dict(spec.settings)
    module.prepare(settings)
    return Fit(
        density=density,
        slots=spec.data,
        method=module,
        kernel=kernel,
        bound=kernel.bind(spec.data),
        settings=settings,
        support_point=np.asarray(spec.support_point, np.float64),
        fingerprint=json.dumps(build.fingerprint(spec.target), sort_keys=True),
    )


mode = partial(prepare, "mode")
pathfinder = partial(prepare, "pathfinder")
smc = partial(prepare, "smc")
advi = partial(prepare, "advi")
