"""The mode of a model, and the normal law that has its curvature there."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from exmc_dask.errors import OptionError, SamplingError
from exmc_dask.fitting.approximation import Approximation, Normal, named
from exmc_dask.fitting.running import Lowered, Part, run_parts
from exmc_dask.inference import mode
from exmc_dask.inference.settings import MAX_CURVED, ModeSettings
from exmc_dask.language.builder import Model
from exmc_dask.options import Place
from exmc_dask.warned import warn


def highest(
    lowered: Lowered, settings: ModeSettings, place: Place, start: Mapping[str, Any] | None
) -> Part:
    """Return the climb that came highest; warn if it did not arrive at a peak."""
    initials = {}
    if start:
        initials[0] = lowered.density.support_point(lowered.model.data, start)
    climbs = run_parts(lowered, "mode", settings, place, initials)
    best = max(climbs, key=lambda climb: climb.rows[-1, 0])
    if not best.halted and not mode.arrived(best.state):
        logp, rise = best.rows[-1]
        why = (
            f"did not arrive at a peak in max_iterations={settings.max_iterations} steps"
            if mode.ran_out(best.state)
            else "found no way up from where it is"
        )
        warn(
            f"the search for the mode {why}: the log-density is {logp:.6g} and thought to be "
            f"{rise:.2g} below its greatest value. The density may have no peak, as those of "
            "hierarchies often have none; sample such a model instead"
        )
    return best


def find_mode(
    model: Model, settings: ModeSettings, place: Place, start: Mapping[str, Any] | None
) -> dict[str, np.ndarray]:
    """Return variables and deterministics where the density on the user's scales is greatest."""
    lowered = Lowered.of(model, ncp=False, jacobian=False)
    best = highest(lowered, settings, place, start)
    return {name: array for name, (array, _) in named(lowered, best.state["q"][None], ()).items()}


def laplace(
    lowered: Lowered, settings: ModeSettings, place: Place, start: Mapping[str, Any] | None
) -> Approximation:
    """Return the normal law at the mode of the unconstrained density with its curvature.

    ``fit`` has ``log_evidence``, the integral of the density if it were normal.

    Raises
    ------
    SamplingError
        The density is flat or rises in some direction, so that there is no such law.
    """
    dim = lowered.density.layout.dim
    if dim > MAX_CURVED:
        raise OptionError(
            f"Laplace's method keeps a matrix of the {dim} parameters; it is possible up to "
            f"{MAX_CURVED}. Use method='pathfinder' or 'advi'"
        )
    best = highest(lowered, replace(settings, curvature=True), place, start)
    hessian = best.state["hessian"]
    if not best.state["peak"]:
        raise SamplingError(_no_peak(hessian, lowered.density.variables.labels))
    upper = np.linalg.cholesky(hessian[::-1, ::-1])[::-1, ::-1]  # U with U U' = hessian
    root = np.linalg.inv(upper).T
    logp = best.rows[-1, 0]
    evidence = logp + 0.5 * dim * np.log(2 * np.pi) + np.log(np.diag(root)).sum()
    mean = best.state["q"].copy()
    return Normal(
        method="laplace",
        center=mean,
        root=np.ascontiguousarray(root),
        stats={
            "mean_vector": (mean, ("rows",)),
            "covariance_matrix": (root @ root.T, ("rows", "columns")),
            "log_evidence": (np.array(evidence), ()),
        },
        lowered=lowered,
    )


def _no_peak(hessian: np.ndarray, labels: list[str]) -> str:
    if not np.isfinite(hessian).all():
        worst = labels[int(np.argmin(np.isfinite(hessian).all(axis=1)))]
        return (
            f"Laplace's method met a gradient that is not finite a hundredth of a standard "
            f"deviation from the mode, at '{worst}'; use method='pathfinder' or sample"
        )
    values, vectors = np.linalg.eigh(hessian)
    worst = labels[int(np.argmax(np.abs(vectors[:, 0])))]
    return (
        f"Laplace's method needs a peak, and the density is flat or rises in "
        f"{np.count_nonzero(values <= 0)} direction(s), most of all that of '{worst}' (curvature "
        f"{values[0]:.2g}). Give it a proper prior, or use method='advi' or sample"
    )
