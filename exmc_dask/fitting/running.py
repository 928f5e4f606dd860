"""The parts of a fit, run where chains can run and recovered as chains are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from exmc_dask.builder import Model
from exmc_dask.density import LogDensity, lower
from exmc_dask.errors import ModelError
from exmc_dask.inference.state import FitState
from exmc_dask.options import Place

if TYPE_CHECKING:
    from exmc_dask.cluster.moves import BlockResult
    from exmc_dask.cluster.wire import Spec


@dataclass(frozen=True)
class Part:
    """A finished part of a fit.

    Attributes
    ----------
    state : FitState
        Where it ended.
    rows : (n, k) float64
        What it reported on the way.
    """

    state: FitState
    rows: np.ndarray


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
        from exmc_dask.cluster.wire import Spec

        return Spec(
            model=self.model.spec.to_bytes(),
            options=self.options,
            settings=settings,
            target="cpu",
            data=self.density.fold(self.model.data),
            support_point=self.density.support_point(self.model.data),
            engine=f"exmc_dask.cluster.fit_engine:{method}",
        )


def run_parts(
    lowered: Lowered,
    method: str,
    settings: Any,
    place: Place,
    initials: Mapping[int, np.ndarray] | None = None,
) -> list[Part]:
    """Work on all parts of a fit until they are finished.

    Parameters
    ----------
    lowered : Lowered
    method : str
        Of `exmc_dask.cluster.fit_engine.METHODS`.
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
        A Ctrl-C came before the end, and there is no result.
    """
    from exmc_dask.cluster.session import session

    with session(
        lowered.spec(method, settings.to_dict()),
        range(settings.units),
        settings.total,
        client=place.client,
        cluster=place.cluster,
        progressbar=place.progressbar,
        initials=initials,
    ) as driver:
        driver.wait()
    return [_part(blocks) for _, blocks in sorted(driver.results().items())]


def _part(blocks: "list[BlockResult]") -> Part:
    state = blocks[-1].state
    assert isinstance(state, FitState)
    return Part(state, np.concatenate([block.draws.values for block in blocks]))
