"""The parts of a fit, run where chains can run and recovered as chains are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from exmc_dask.errors import ModelError
from exmc_dask.inference.state import FitState
from exmc_dask.language.builder import Model
from exmc_dask.lowering.density import LogDensity, lower
from exmc_dask.options import Place
from exmc_dask.warned import warn

if TYPE_CHECKING:
    from exmc_dask.cluster.messages.wire import Spec
    from exmc_dask.cluster.plan.moves import BlockResult


@dataclass(frozen=True)
class Part:
    """A part of a fit that is over.

    Attributes
    ----------
    state : FitState
        Where it ended.
    rows : (n, k) float64
        What it reported on the way.
    halted : bool
        It was interrupted, and is as good as it was by then.
    """

    state: FitState
    rows: np.ndarray
    halted: bool = False


@dataclass(frozen=True)
class Lowered:
    """A model with its density, as the parts of a fit use it.

    Attributes
    ----------
    model : Model
    density : LogDensity
    options : mapping
        What `lower` made it with.
    """

    model: Model
    density: LogDensity
    options: Mapping[str, Any]

    @classmethod
    def of(cls, model: Model, **options: Any) -> "Lowered":
        """Lower a model.

        Raises
        ------
        ModelError
            It has nothing to fit, or its observed values are missing.
        """
        if not model.spec.free:
            raise ModelError("the model has no free variable, so there is nothing to fit")
        model.check_observed()
        return cls(model, lower(model.spec, **options), options)

    def spec(self, method: str, settings: Mapping[str, Any]) -> "Spec":
        """Return what workers need to work on a fit."""
        from exmc_dask.cluster.messages.wire import Spec

        return Spec(
            model=self.model.spec.to_bytes(),
            options=self.options,
            settings=settings,
            target="cpu",
            data=self.density.fold(self.model.data),
            support_point=self.density.support_point(self.model.data),
            engine=f"exmc_dask.cluster.engines.fit:{method}",
        )


def run_parts(
    lowered: Lowered,
    method: str,
    settings: Any,
    place: Place,
    initials: Mapping[int, np.ndarray] | None = None,
) -> list[Part]:
    """Work on all parts of a fit until they are finished.

    A Ctrl-C ends it with the parts that are finished then, and with those others that are worth
    something as they are, if `place` says so.

    Parameters
    ----------
    lowered : Lowered
    method : str
        Of `exmc_dask.cluster.engines.fit.METHODS`.
    settings : record
        Of the method, with ``units`` and ``total``.
    place : Place
    initials : mapping of int to ndarray, optional
        What some parts begin with.

    Raises
    ------
    ExmcError
        A part or the cluster cannot go on.
    KeyboardInterrupt
        A Ctrl-C came before there was anything.

    Warns
    -----
    UserWarning
        A Ctrl-C came, and this is what there was.
    """
    from exmc_dask.cluster.plan.asks import Ending
    from exmc_dask.cluster.session import session
    from exmc_dask.runs.wishes import heeding

    with session(
        lowered.spec(method, settings.to_dict()),
        range(settings.units),
        settings.total,
        client=place.client,
        cluster=place.cluster,
        progressbar=place.progressbar,
        initials=initials,
    ) as driver:
        if place.halts:
            heeding(driver.ask, driver.wait)
        else:
            driver.wait()
    interrupted = driver.ending is not Ending.COMPLETE
    results = driver.results()
    found = [_part(results[unit], method, settings) for unit in range(settings.units)]
    parts = [part for part in found if part is not None]
    if interrupted and not parts:
        raise KeyboardInterrupt
    if interrupted:
        n_whole = sum(not part.halted for part in parts)
        others = f"{len(parts) - n_whole} as far as they had come, " if n_whole < len(parts) else ""
        warn(
            f"the fit was interrupted: of its {settings.units} parts, {n_whole} are there as they "
            f"should be, {others}{settings.units - len(parts)} are left out"
        )
    return parts


def _part(blocks: "list[BlockResult]", method: str, settings: Any) -> Part | None:
    """Return what the blocks of a part come to; None if it was halted and that is nothing."""
    from exmc_dask.cluster.engines.fit import METHODS

    if not blocks:
        return None
    state = blocks[-1].state
    assert isinstance(state, FitState)
    rows = np.concatenate([block.draws.values for block in blocks])
    if state.draw == settings.total:
        return Part(state, rows)
    module, _ = METHODS[method]
    halted = module.halted(state, settings)
    if halted is None:
        return None
    state, last = halted
    return Part(state, np.concatenate([rows, last]), halted=True)
