"""sample() and sample_stream(): what callers may pass, checked once and written down."""

import math
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from exmc_dask.errors import OptionError
from exmc_dask.language.builder import Model
from exmc_dask.options import Place, model_and_counts, refuse, seed_of
from exmc_dask.runs.folded import MomentKeeper, check_kept
from exmc_dask.runs.gpus import MANY, wish
from exmc_dask.runs.recipe import write
from exmc_dask.runs.run import Run
from exmc_dask.runs.shelf import check_writers, written_by_workers
from exmc_dask.runs.stream import Draw
from exmc_dask.runs.terms import Keeper, Terms
from exmc_dask.sampler.settings import Settings

if TYPE_CHECKING:
    import xarray as xr

TUNE, TUNE_STEP_SIZE = 400, 50  # warmup draws by default, and where the metric is known
GROUP = 64  # chains, at least, that share what their warmup teaches them

# Options of pm.sample that mean something else here: what to use instead.
ELSEWHERE = {
    "callback": "use sample_stream, or a function as progressbar=",
    "chain": "it is called chains",
    "compile_kwargs": "kernels are compiled by numba; see target=",
    "cores": "client= or cluster= says where chains run; cluster='threads' uses every processor",
    "jitter_max_retries": "starting points are tried again until one can be used; see initvals=",
    "mp_ctx": "client= or cluster= says where chains run",
    "n_init": "a start from a fit is init='advi' and so on; warmup is tune=",
    "nuts": "options of NUTS are those of sample itself, such as target_accept=",
    "nuts_kwargs": "options of NUTS are those of sample itself, such as target_accept=",
    "nuts_sampler": "there is one sampler, NUTS",
    "nuts_sampler_kwargs": "there is one sampler, NUTS",
    "return_inferencedata": "the result is always an xarray DataTree",
    "idata_kwargs": "log_likelihood=True and log_prior=True are options of sample itself",
    "progress": "it is called progressbar here, as in PyMC",
    "quiet": "progressbar=False shows nothing",
    "seed": "it is called random_seed here, as in PyMC",
    "start": "starting values are initvals=",
    "step": "there is one sampler, NUTS; discrete variables have to be summed out",
    "trace": "draws that go to disk while they are made are store=",
}


@overload
def sample(
    *first: Model | int, blocking: Literal[True] = True, **options: Any
) -> "xr.DataTree": ...
@overload
def sample(*first: Model | int, blocking: Literal[False], **options: Any) -> Run: ...
def sample(
    *first: Model | int,
    model: Model | None = None,
    draws: int = 1000,
    tune: int | None = None,
    chains: int = 4,
    superchains: int | None = None,
    client: Any = None,
    cluster: Any = None,
    target: Literal["auto", "cpu", "cuda"] = "auto",
    target_options: Mapping[str, int | str] | None = None,
    random_seed: int | None = None,
    target_accept: float = 0.8,
    max_treedepth: int = 10,
    initvals: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    init: Literal["adapt", "map", "advi", "fullrank", "laplace", "pathfinder"] = "adapt",
    warm_start: Any = None,
    adapt: Literal["fisher", "stan", "step_size"] | None = None,
    metric: Literal["diag", "dense", "low_rank"] = "diag",
    pool: bool | int = False,
    ncp: bool | Literal["auto"] | Mapping[str, bool] = "auto",
    sufficient: bool = True,
    var_names: str | Sequence[str] | None = None,
    thin: int = 1,
    keep: Literal["draws", "moments"] = "draws",
    store_unconstrained: bool = False,
    log_likelihood: bool = False,
    log_prior: bool = False,
    discard_tuned_samples: bool = True,
    compute_convergence_checks: bool = True,
    progressbar: bool | str | Callable[[Any], None] = True,
    on_failure: Literal["raise", "drop"] = "raise",
    block_draws: int | None = None,
    until: Mapping[str, Any] | None = None,
    max_time_s: float = math.inf,
    store: str | os.PathLike[str] | None = None,
    checkpoint_s: float = 10.0,
    store_writers: Literal["coordinator", "workers"] = "coordinator",
    blocking: bool = True,
    **unknown: Any,
) -> "xr.DataTree | Run":
    """Sample a model with NUTS.

    Parameters
    ----------
    *first
        The model, if it is not given by name or by being inside its ``with`` block.
    draws, tune, chains : int
        Kept draws and warmup draws of each chain; chains. `tune` is 400 by default, and 50 where
        only the step size is tuned.
    superchains : int, optional
        Share so many starting points among the chains, the same number of neighbouring chains each;
        such a group is a superchain, and all of its chains have random numbers of their own. For
        many short chains, where R-hat of single chains says little: what is judged then, here and
        by ``until=``, is nested R-hat (`exmc_dask.results.convergence.rhat_nested`), which asks
        whether superchains agree. The result has a coordinate ``superchain``. `initvals` has an
        entry for each superchain.
    client : distributed.Client, optional
        Run on its workers. It is neither closed nor restarted.
    cluster : "threads", "local", "cuda", "kubernetes", an address or a Dask cluster, optional
        Threads of this process; a LocalCluster of processes for this call; a LocalCUDACluster with
        a process for each GPU; one of Dask's Kubernetes operator; a scheduler. Without client and
        cluster: the current Dask client if there is one, else threads.
    target : {"auto", "cpu", "cuda"}
        What kernels are compiled for. "cuda" runs batches of chains on NVIDIA GPUs and is worth it
        from some hundred chains on; it needs the extra of that name, and ``metric="diag"``. "auto"
        is "cuda" with ``cluster="cuda"``, and from 256 chains on where workers of the client or
        cluster offer the resource ``GPU``; "cpu" otherwise. Where no GPU is left, "auto" goes on
        with CPUs, and back to GPUs when a worker joins that has one, and tells; "cuda" is an error
        then. The result's attribute ``target`` says what it was, ``target_changes`` for which draws
        where it was several.
    target_options : mapping, optional
        Of ``target="cuda"``: ``"lanes"``, the threads that share a chain, 1, 2, 4, 8, 16 or 32; by
        default as many as the cost of the model and the number of chains suggest. ``"block"``, the
        threads of a block, 32, 64, 128 or 256; 128 by default. ``"batch"``, the chains that are on
        a GPU at a time, by default 8192 at most and fewer where they do not fit. ``"tile"``, the
        rows of data matrices that the chains of a block read together, a multiple of 32, or 0: each
        for itself; "auto" by default, which is 0 up to 128 KiB of data. Lanes and tile change
        draws, as others add up in another order; the other two do not. What they were, the memory
        that they need and the number of launches stand in the result's attributes: ``lanes``,
        ``block``, ``batch``, ``tile``, ``device_bytes``, ``launches``.
    random_seed : int, optional
        One seed, one result, on whatever cluster of equal machines; drawn and kept in the result's
        attributes by default.
    target_accept : float
        Mean acceptance statistic that warmup tunes the step size for.
    max_treedepth : int
        Doublings of a trajectory at most, 1 to 20: a draw takes up to 2**max_treedepth gradients.
    initvals : mapping or sequence of mappings, optional
        Starting values by variable, on the variable's own scale, for all chains or for each;
        variables left out start at their support point. Given values are not jittered.
    init : {"adapt", "map", "advi", "fullrank", "laplace", "pathfinder"}
        Where chains begin: at the support point plus jitter, all at the mode of the unconstrained
        density, or each at a draw of its own from what ``ed.fit`` finds by this method, whose
        covariance is then the first metric of the schemes "stan" and "step_size".
    warm_start : Run, path or DataTree, optional
        An earlier run of the model, or its store, with other data perhaps. Chains begin at its
        last positions, with its metric and step size, and need little warmup. A trace does as
        well, of PyMC or Stan too, whose variables are found by name: the metric is then their
        variance.
    adapt : {"fisher", "stan", "step_size"}, optional
        Warmup scheme: overlapping windows of draws and gradients, the default; Stan's windows; or
        the step size only, the default after a warm start.
    metric : {"diag", "dense", "low_rank"}
        Shape of the mass matrix. Correlated posteriors need far fewer gradients with "low_rank",
        a diagonal that is stretched along at most 10 directions, or, up to some hundred
        dimensions, with "dense".
    pool : bool or int
        Let neighbouring chains share what their warmup teaches them of the metric, in groups of 64
        or more, or of as many or more as is said; fewer chains are one group. They wait for each
        other after 5, 10, 20, 40, ... draws, or where Stan's windows end, and keep positions and
        step sizes of their own. With many chains a `tune` of 50 to 100 is then enough.
    ncp : bool, "auto" or mapping
        Which variables are sampled non-centred; results show the variables as declared.
    sufficient : bool
        Whether a Gaussian likelihood of a linear predictor is calculated from a triangle of the
        data that is made once, at a cost that does not depend on their number.
    var_names : str or sequence of str, optional
        Variables and deterministics to keep; all by default.
    thin : int
        Keep every n-th draw.
    keep : {"draws", "moments"}
        With "moments", for thousands of chains, no draw is kept but of each chain and variable
        mean and variance, and means of batches of draws: groups ``moments/mean``,
        ``moments/variance``, ``moments/batch_mean`` and, of the sampler, ``sample_totals``, in
        memory that does not grow with the draws. ``ed.summary`` and ``ed.diagnose`` make R-hat
        and the ESS of means of it; quantiles, streams, `store` and `until` need draws.
    store_unconstrained, discard_tuned_samples : bool
        Add the group of unconstrained positions; leave the warmup groups out.
    log_likelihood, log_prior : bool
        Add the groups of log-densities, element by element, that ``compute_log_likelihood`` and
        ``compute_log_prior`` make.
    compute_convergence_checks : bool
        Print what is wrong with the draws, and what to do about it.
    progressbar : bool, "rich", "log", "json" or callable
        How the run is shown: in place in a terminal or notebook, as a table, as a line every ten
        seconds, as JSON, by a function of one event, or not at all.
    on_failure : {"raise", "drop"}
        Whether a chain that cannot go on ends the run.
    block_draws : int, optional
        Draws in a block at most; by default blocks go by time. Never changes a draw.
    until : mapping, optional
        Ends the run before it has `draws` draws, as soon as all of it holds for every variable:
        ``{"rhat": 1.01, "ess_bulk": 400, "ess_tail": 400}`` or ``{"mcse": 0.1}`` or, for some
        variables, ``{"mcse": {"mu": 0.1}}``. It is asked after 200, 300, 450, ... draws of each
        chain, and these are then returned, so the result does not depend on where it runs.
        Stopping when numbers look good makes them look a little better than they are: see
        `exmc_dask.runs.until`.
    max_time_s : float
        Time after which the run ends with the draws that it has.
    store : path or str, optional
        A new folder or URL, such as ``run.zarr`` or ``s3://bucket/run.zarr``, in which the run is
        kept while it goes on; needs zarr. `exmc_dask.resume` goes on with it in another process,
        `exmc_dask.open_store` shows it. A store that fails does not end the run. Draws that are
        safely in it leave the memory, and arrays of the result are then read when they are used.
    checkpoint_s : float
        Time that is lost at most when this process dies; a store that is slow is written less
        often.
    store_writers : {"coordinator", "workers"}
        Who writes draws to the store. With "workers" they do not travel to this process, which is
        too slow for what GPUs draw; it takes note of where they are, and reads them when they are
        used. The store has to be a folder that all machines share or a URL, which is tried before
        a worker is given work. It is read by `exmc_dask.open_store`, not by xarray alone.
    blocking : bool
        Wait for the result. If not, the handle of the run is returned at once.

    Returns
    -------
    xarray.DataTree, or Run with ``blocking=False``
        Groups posterior, sample_stats, observed_data, constant_data, and those asked for. After
        Ctrl-C it holds the draws that all chains have.

    Raises
    ------
    OptionError
        An option does not exist or has an impossible value.
    StoreError
        The store is not new or cannot be written; or another process has resumed its run.
    DeviceFull
        The chains that are to be on a GPU at a time do not fit into its memory.
    ModelError, SamplingError, ClusterError
        The model, a chain, or the cluster cannot go on. What was drawn before is in the error's
        ``partial``.
    """
    refuse(sample, unknown, ELSEWHERE)
    check_kept(
        keep,
        store=store,
        until=until,
        discard_tuned_samples=not discard_tuned_samples,
        store_unconstrained=store_unconstrained,
        log_likelihood=log_likelihood,
        log_prior=log_prior,
    )
    check_writers(store_writers, store)
    model, counts = model_and_counts("sample", first, model, ("draws", "tune", "chains"))
    adapt = adapt or ("fisher" if warm_start is None else "step_size")
    if tune is None:
        tune = TUNE_STEP_SIZE if adapt == "step_size" else TUNE
    given = (*counts, *(draws, tune, chains)[len(counts) :], pool)
    draws, tune, chains, pool = (int(n) if isinstance(n, np.integer) else n for n in given)
    terms = Terms(
        client=client,
        cluster=cluster,
        progressbar=progressbar,
        on_failure=on_failure,
        block_draws=block_draws,
        max_time_s=max_time_s,
        compute_convergence_checks=compute_convergence_checks,
    )
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
        pool=GROUP * pool if isinstance(pool, bool) else pool,
    )
    worth_it = isinstance(chains, int) and chains >= MANY and metric == "diag"
    recipe = write(
        model,
        settings,
        chains,
        gpus=wish(target, target_options, client, cluster, worth_it=worth_it),
        superchains=int(superchains) if isinstance(superchains, np.integer) else superchains,
        initvals=initvals,
        warm_start=_earlier(warm_start),
        ncp=ncp,
        sufficient=sufficient,
        var_names=var_names,
        until=until,
        warmup=not discard_tuned_samples,
        log_likelihood=log_likelihood,
        log_prior=log_prior,
        keep=keep,
    )
    if init != "adapt":  # here, as it brings xarray along, which no run needs before its end
        from exmc_dask.fitting.begin import begun

        recipe = begun(recipe, init, Place(client, cluster, progressbar=False))
    keeper = MomentKeeper(recipe) if keep == "moments" else Keeper()
    if store is not None:
        from exmc_dask.runs.keeper import begin

        if store_writers == "workers":
            recipe = written_by_workers(recipe, store)
        keeper = begin(store, recipe, on_failure, checkpoint_s)
    run = Run(recipe, terms, keeper=keeper)
    return run.wait() if blocking else run


def _earlier(given: Any) -> Any:
    """Return what a run begins from: of a handle or a store its states, else a trace."""
    if isinstance(given, Run):
        return given.earlier
    if isinstance(given, str | os.PathLike):
        from exmc_dask.runs.takeover import earlier

        return earlier(given)
    return given


def sample_stream(
    model: Model, callback: Callable[[Draw], object], **options: Any
) -> "xr.DataTree":
    """Sample a model and call a function with every kept draw as soon as it is accepted.

    Parameters
    ----------
    model : Model
    callback : callable
        Takes a `Draw`: its chain, draw, point and stat. Every draw of every chain comes once and
        in order per chain, also where workers die. It is called in the calling thread; what it
        raises ends the run. After a Ctrl-C it still gets the draws that the result has.
    **options
        Those of `sample`.

    Returns
    -------
    xarray.DataTree
        As from `sample`.
    """
    if not callable(callback):
        raise OptionError(f"callback={callback!r} is not a function of one draw")
    if "blocking" in options:
        raise OptionError(
            "sample_stream waits; sample(blocking=False).stream() is for those who do not"
        )
    told: Counter[int] = Counter()
    with sample(model, **options, blocking=False) as run:
        wishes = [run.close, run.stop]
        while True:
            try:
                for draw in run.stream():
                    if draw.draw >= told[draw.chain]:
                        callback(draw)
                        told[draw.chain] = draw.draw + 1
                return run.wait()
            except KeyboardInterrupt:
                if not wishes:
                    raise
                wishes.pop()()
