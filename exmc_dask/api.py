"""sample(): the whole way from a declared model to a DataTree, in the order it happens."""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from exmc_dask.axes import extents
from exmc_dask.builder import Model
from exmc_dask.density import LogDensity, lower
from exmc_dask.errors import CompileError, ExmcError, ModelError, OptionError
from exmc_dask.options import model_and_counts, refuse, seed_of
from exmc_dask.sampler.settings import Settings

if TYPE_CHECKING:
    import xarray as xr

    from exmc_dask.cluster.driver import Run
    from exmc_dask.cluster.moves import BlockResult
    from exmc_dask.cluster.wire import Spec

# Options of pm.sample that mean something else here: what to use instead.
ELSEWHERE = {
    "cores": "client= or cluster= says where chains run; cluster='threads' uses every processor",
    "nuts_sampler": "there is one sampler, NUTS",
    "return_inferencedata": "the result is always an xarray DataTree",
    "idata_kwargs": "log_likelihood=True and log_prior=True are options of sample itself",
    "progress": "it is called progressbar here, as in PyMC",
    "seed": "it is called random_seed here, as in PyMC",
    "init": "chains start at the support point plus jitter; initvals= gives exact points",
}


def sample(
    *first: Model | int,
    model: Model | None = None,
    draws: int = 1000,
    tune: int = 400,
    chains: int = 4,
    client: Any = None,
    cluster: Any = None,
    target: Literal["auto", "cpu"] = "auto",
    random_seed: int | None = None,
    target_accept: float = 0.8,
    max_treedepth: int = 10,
    initvals: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    adapt: Literal["fisher", "stan"] = "fisher",
    metric: Literal["diag", "dense", "low_rank"] = "diag",
    ncp: bool | Literal["auto"] | Mapping[str, bool] = "auto",
    sufficient: bool = True,
    var_names: str | Sequence[str] | None = None,
    thin: int = 1,
    store_unconstrained: bool = False,
    log_likelihood: bool = False,
    log_prior: bool = False,
    discard_tuned_samples: bool = True,
    compute_convergence_checks: bool = True,
    progressbar: bool | str | Callable[[Any], None] = True,
    on_failure: Literal["raise", "drop"] = "raise",
    block_draws: int | None = None,
    **unknown: Any,
) -> "xr.DataTree":
    """Sample a model with NUTS.

    Parameters
    ----------
    *first
        The model, if it is not given by name or by being inside its ``with`` block.
    draws, tune, chains : int
        Kept draws and warmup draws of each chain; chains.
    client : distributed.Client, optional
        Run on its workers. It is neither closed nor restarted.
    cluster : "threads", "local", an address or a Dask cluster, optional
        Threads of this process; a LocalCluster of processes for this call; a scheduler. Without
        client and cluster: the current Dask client if there is one, else threads.
    target : {"auto", "cpu"}
        What kernels are compiled for.
    random_seed : int, optional
        One seed, one result, on whatever cluster of equal machines; drawn and kept in the result's
        attributes by default.
    target_accept : float
        Mean acceptance statistic that warmup tunes the step size for.
    max_treedepth : int
    initvals : mapping or sequence of mappings, optional
        Starting values by variable, on the variable's own scale, for all chains or for each;
        variables left out start at their support point. Given values are not jittered.
    adapt : {"fisher", "stan"}
        Warmup scheme: overlapping windows of draws and gradients, or Stan's windows.
    metric : {"diag", "dense", "low_rank"}
        Shape of the mass matrix. Correlated posteriors need far fewer gradients with "low_rank",
        a diagonal that is stretched along at most 10 directions, or, up to some hundred
        dimensions, with "dense".
    ncp : bool, "auto" or mapping
        Which variables are sampled non-centred; results show the variables as declared.
    sufficient : bool
        Whether a Gaussian likelihood of a linear predictor is calculated from a triangle of the
        data that is made once, at a cost that does not depend on their number.
    var_names : str or sequence of str, optional
        Variables and deterministics to keep; all by default.
    thin : int
        Keep every n-th draw.
    store_unconstrained, discard_tuned_samples : bool
        Add the group of unconstrained positions; leave the warmup groups out.
    log_likelihood, log_prior : bool
        Add the groups of log-densities, element by element, that ``compute_log_likelihood`` and
        ``compute_log_prior`` make.
    compute_convergence_checks : bool
        Print what is wrong with the draws, and what to do about it.
    progressbar : bool, "rich", "log", "json" or callable
    on_failure : {"raise", "drop"}
        Whether a chain that cannot go on ends the run.
    block_draws : int, optional
        Draws in a block at most; by default blocks go by time. Never changes a draw.

    Returns
    -------
    xarray.DataTree
        Groups posterior, sample_stats, observed_data, constant_data, and those asked for. After
        Ctrl-C it holds the draws that all chains have.

    Raises
    ------
    OptionError
        An option does not exist or has an impossible value.
    ModelError, SamplingError, ClusterError
        The model, a chain, or the cluster cannot go on. What was drawn before is in the error's
        ``partial``.
    """
    refuse(sample, unknown, ELSEWHERE)
    model, counts = model_and_counts("sample", first, model, ("draws", "tune", "chains"))
    if target not in ("auto", "cpu"):
        raise CompileError(f"target={target!r} is not possible; kernels are compiled for 'cpu'")
    given = (*counts, *(draws, tune, chains)[len(counts) :])
    draws, tune, chains = (int(n) if isinstance(n, np.integer) else n for n in given)
    if not isinstance(chains, int) or chains < 1:
        raise OptionError(f"chains={chains!r} is not possible; it has to be a whole number above 0")
    if on_failure not in ("raise", "drop"):
        raise OptionError(f"on_failure={on_failure!r} is not possible; use 'raise' or 'drop'")
    if block_draws is not None and (not isinstance(block_draws, int) or block_draws < 1):
        raise OptionError(f"block_draws={block_draws!r} is not possible; it has to be above 0")
    settings = Settings(
        seed=seed_of(random_seed),
        draws=draws,
        tune=tune,
        target_accept=target_accept,
        max_treedepth=max_treedepth,
        adapt=adapt,
        metric=metric,
        thin=thin,
        store_unconstrained=store_unconstrained,
    )
    options: dict[str, Any] = {
        "ncp": ncp if isinstance(ncp, bool | str) else dict(ncp),
        "sufficient": sufficient,
        "var_names": [var_names] if isinstance(var_names, str) else var_names and list(var_names),
    }
    if not model.spec.free:
        raise ModelError("the model has no free variable, so there is nothing to sample")
    model.check_observed()
    density = lower(model.spec, **options)
    _check_needed(model, density, log_likelihood, log_prior)
    spec = _spec(model, density, options, settings)
    began = time.perf_counter()
    run, error = _run(
        spec,
        settings,
        chains,
        initials=_initials(initvals, model, density, chains),
        client=client,
        cluster=cluster,
        progressbar=progressbar,
        on_failure=on_failure,
        block_draws=block_draws,
    )
    seconds = time.perf_counter() - began
    trace = _tree(
        _kept(run, whole=error is None),
        model,
        density,
        spec,
        settings,
        warmup=not discard_tuned_samples,
        attrs={"sampling_time": seconds},
    )
    if error is not None:
        error.partial = trace
        raise error
    _add_densities(trace, model, log_likelihood, log_prior)
    if compute_convergence_checks:
        _report(trace)
    return trace


def _spec(
    model: Model, density: LogDensity, options: Mapping[str, Any], settings: Settings
) -> "Spec":
    from exmc_dask.cluster.wire import Spec

    return Spec(
        model=model.spec.to_bytes(),
        options=options,
        settings=settings.to_dict(),
        target="cpu",
        data=density.fold(model.data),
        support_point=density.support_point(model.data),
    )


def _initials(
    initvals: Any, model: Model, density: LogDensity, chains: int
) -> dict[int, np.ndarray]:
    """Turn starting values on the variables' own scales into unconstrained points."""
    if initvals is None:
        return {}
    each = [initvals] * chains if isinstance(initvals, Mapping) else list(initvals)
    if len(each) != chains:
        raise OptionError(f"initvals has {len(each)} entries for {chains} chains")
    return {
        chain: density.support_point(model.data, given) for chain, given in enumerate(each) if given
    }


def _run(
    spec: "Spec",
    settings: Settings,
    chains: int,
    *,
    initials: Mapping[int, np.ndarray],
    client: Any,
    cluster: Any,
    progressbar: Any,
    on_failure: Literal["raise", "drop"],
    block_draws: int | None,
) -> "tuple[Run, ExmcError | None]":
    """Run all chains to their end, or to where a Ctrl-C or an error ends them."""
    from exmc_dask.cluster.driver import Run
    from exmc_dask.cluster.pool import open_pool
    from exmc_dask.cluster.progress import watch

    show = watch(progressbar, chains, settings.total, settings.tune)
    pool = open_pool(client, cluster, chains)
    try:
        run = Run(
            pool,
            spec,
            units=range(chains),
            total=settings.total,
            initials=initials,
            on_block=show.block,
            on_event=show,
            max_block=block_draws,
            on_failure=on_failure,
        )
        run.start()
        if cluster == "local":  # while its workers load, import what the result is made of
            threading.Thread(target=import_module, args=("exmc_dask.output",), daemon=True).start()
        try:
            run.wait()
        except ExmcError as error:
            return run, error
        finally:
            run.close()
        return run, None
    finally:
        with contextlib.suppress(KeyboardInterrupt):  # one more Ctrl-C must not cost the draws
            show.close()
        pool.close()


def _kept(run: "Run", *, whole: bool) -> dict[int, list["BlockResult"]]:
    """Leave out chains that were dropped, and after an error those that came to nothing."""
    dropped = run.dropped()
    return {
        chain: blocks
        for chain, blocks in run.results().items()
        if chain not in dropped and (whole or blocks)
    }


def _tree(
    results: Mapping[int, Sequence["BlockResult"]],
    model: Model,
    density: LogDensity,
    spec: "Spec",
    settings: Settings,
    *,
    warmup: bool,
    attrs: Mapping[str, Any],
) -> "xr.DataTree":
    from exmc_dask.output import to_datatree
    from exmc_dask.predictive.groups import constant_data, observed_data

    lengths = density.axis_lengths(spec.data)
    return to_datatree(
        results,
        [replace(output, shape=extents(output.shape, lengths)) for output in density.outputs],
        settings,
        coords=model.coords,
        observed_data=observed_data(model),
        constant_data=constant_data(model),
        free=density.variables.entries,
        warmup=warmup,
        attrs={"model": model.spec.key, "target": spec.target, **attrs},
    )


def _check_needed(model: Model, density: LogDensity, likelihood: bool, prior: bool) -> None:
    """Refuse to keep too few variables for the log-densities that are wanted afterwards."""
    if not likelihood and not prior:
        return
    from exmc_dask.predictive.pointwise import likelihoods, priors

    wanted = [*(likelihoods(model) if likelihood else ()), *(priors(model) if prior else ())]
    kept = {output.name for output in density.outputs}
    for expression in wanted:
        for name in expression.variables:
            if name not in kept:
                raise OptionError(
                    f"var_names leaves out '{name}', of which the log-density of "
                    f"'{expression.name}' is made; keep it, or do without that log-density"
                )


def _add_densities(trace: "xr.DataTree", model: Model, likelihood: bool, prior: bool) -> None:
    if likelihood or prior:
        from exmc_dask.predictive.pointwise import compute_log_likelihood, compute_log_prior

        if likelihood:
            compute_log_likelihood(trace, model)
        if prior:
            compute_log_prior(trace, model)


def _report(trace: "xr.DataTree") -> None:
    """Print findings as PyMC does, one line each."""
    from exmc_dask.diagnosis import diagnose

    for finding in diagnose(trace):
        print(finding)
