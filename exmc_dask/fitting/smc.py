"""Populations of particles, from draws of the prior to draws of the posterior, and the evidence."""

import warnings
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import logsumexp

from exmc_dask.errors import ModelError
from exmc_dask.fitting.approximation import result
from exmc_dask.fitting.running import Lowered, run_parts
from exmc_dask.inference.settings import SmcSettings
from exmc_dask.inference.smc import COLUMNS
from exmc_dask.language.builder import Model
from exmc_dask.options import Place
from exmc_dask.predictive.sampling import sample_prior_predictive


def smc(model: Model, ncp: Any, settings: SmcSettings, place: Place) -> xr.DataTree:
    """Return the draws of all populations, one a chain, and the evidence that each found.

    Raises
    ------
    ModelError
        A variable cannot be drawn from its prior.
    SamplingError
        A population did not arrive.
    """
    tempered = Lowered.of(model, ncp=ncp, tempered=True)
    plain = Lowered.of(model, ncp=ncp)
    _refuse_missing(model)
    n, chains = settings.draws, settings.chains
    prior = _prior(tempered, n * chains, settings.seed)
    initials = {chain: prior[chain * n : (chain + 1) * n] for chain in range(chains)}
    parts = run_parts(tempered, "smc", settings, place, initials)
    q = np.stack([part.state["q"][:, :-1] for part in parts])
    order = _order(tempered, plain)
    chains = len(parts)  # fewer after a Ctrl-C
    evidences = np.array([part.rows[-1, -1] for part in parts])
    stages = np.full((len(COLUMNS), chains, max(len(part.rows) for part in parts)), np.nan)
    for chain, part in enumerate(parts):
        stages[:, chain, : len(part.rows)] = part.rows.T
    fit: dict[str, tuple[np.ndarray, tuple[str, ...]]] = {
        name: (array, ("chain", "stage")) for name, array in zip(COLUMNS, stages, strict=True)
    }
    fit["log_evidence"] = evidences, ("chain",)
    fit["log_evidence_mean"] = np.array(logsumexp(evidences) - np.log(chains)), ()
    fit["temperature"] = 1 / stages[0], ("chain", "stage")
    lp = np.stack([part.state["prior"] + part.state["lik"] for part in parts])
    likelihood = np.stack([part.state["lik"] for part in parts])
    front = ("chain", "draw")
    stats = {"lp": (lp, front), "likelihood": (likelihood, front)}
    about = {"method": "smc", "seed": settings.seed, "model": model.spec.key}
    return result(plain, q[:, :, order], stats, fit, about)


def _order(tempered: Lowered, plain: Lowered) -> np.ndarray:
    """Return where each coordinate of one density's vector lies in the other's."""
    places = {entry.name: entry for entry in tempered.density.variables.entries}
    order = np.empty(plain.density.layout.dim, np.int64)
    for entry in plain.density.variables.entries:
        order[entry.stretch] = np.arange(entry.size) + places[entry.name].offset
    return order


def _refuse_missing(model: Model) -> None:
    for variable in model.spec.observed:
        if variable.n_missing:
            raise ModelError(
                f"'{variable.name}' has missing entries, which are drawn together with those that "
                "are there and so have no prior of their own to begin with; use sample"
            )


def _prior(tempered: Lowered, n: int, seed: int) -> np.ndarray:
    """Return draws from the prior, unconstrained, (n, dim)."""
    density, model = tempered.density, tempered.model
    names = [entry.name for entry in density.variables.entries]
    with warnings.catch_warnings():  # here they count: they are tempered
        warnings.filterwarnings("ignore", "nothing can be drawn from a potential")
        drawn = sample_prior_predictive(model, draws=n, var_names=names, random_seed=seed)
    group = drawn["prior"].to_dataset()
    values = {name: group[name].values[0] for name in names}
    given = density.binding.check(model.data)
    q = np.empty((n, density.variables.dim))
    for name, array in density.binding.each_unconstrained(values, given).items():
        q[:, density.variables[name].stretch] = array.reshape(n, -1)
    return q
