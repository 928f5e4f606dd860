"""Predictive draws as units of a run: a unit is a portion of them, made in one step."""

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc_dask.inference.state import FitState, Made
from exmc_dask.kernels import build
from exmc_dask.kernels.runtime.chain import DRAWS, GRADIENTS, STOP, STOP_NOW
from exmc_dask.language.model import ModelSpec
from exmc_dask.predictive.forward import Forward
from exmc_dask.predictive.plan import Plan
from exmc_dask.predictive.portions import Making, Portions

from ..messages.wire import Spec

_NAMES = ("frozen", "wanted", "kept", "drawn", "made")  # fields of a plan that are names in order


def spec_of(making: Making, portions: Portions) -> Spec:
    """Return what workers need to make draws."""
    forward, plan = making.forward, making.forward.plan
    return Spec(
        model=plan.declared.to_bytes(),
        options={
            **{field: list(getattr(plan, field)) for field in _NAMES},
            "overlaid": sorted(plan.overlaid),
            "lengths": dict(forward.lengths),
        },
        settings={"seed": making.seed, "purpose": making.purpose, "portions": asdict(portions)},
        target="cpu",
        data=forward.data,
        support_point=np.empty(0),
        engine=f"{__name__}:prepare",
    )


@dataclass(frozen=True)
class Portioned:
    """What makes portions of predictive draws; see `exmc_dask.cluster.worker.worker.Engine`."""

    making: Making
    portions: Portions
    fingerprint: str
    row_bytes: int = 8  # a portion is one step, whatever its size

    def start(self, unit: int, initial: NDArray[np.float64] | None) -> FitState:
        """Return the state before a portion that needs nothing of a trace."""
        return FitState(unit, 0)

    def run(self, state: FitState, n: int, control: NDArray[np.int64]) -> tuple[FitState, Made]:
        """Make a portion, given the draws of the trace that it needs as arrays of its state."""
        first = self.portions.place(state.unit)[1].start
        found: list[dict[str, Any]] = []
        for chunk in self.portions.chunks(state.unit):
            if control[STOP] == STOP_NOW:  # nobody waits for it
                return state, Made.of({})
            draws = slice(chunk.draws.start - first, chunk.draws.stop - first)
            kept = {name: array[draws] for name, array in state.arrays.items()}
            found.append(self.making.chunk(chunk, kept))
            control[GRADIENTS] += 1  # something moves
        control[DRAWS] = 1
        made = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
        return FitState(state.unit, 1), Made.of(made)


def prepare(spec: Spec) -> Portioned:
    """Take a model and its plan out of a spec."""
    options, settings = spec.options, spec.settings
    plan = Plan(
        declared=ModelSpec.from_bytes(spec.model),
        overlaid=frozenset(options["overlaid"]),
        outrun={},
        **{field: tuple(options[field]) for field in _NAMES},
    )
    return Portioned(
        Making(
            Forward(plan, spec.data, options["lengths"], {}),
            settings["seed"],
            settings["purpose"],
        ),
        Portions(**settings["portions"]),
        fingerprint=json.dumps(build.fingerprint(spec.target), sort_keys=True),
    )
