"""map(): one model, many sets of data, and one compiled kernel for all of them."""

import copy
import queue
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from exmc_dask.cluster.driver import Driver
from exmc_dask.cluster.engines import many as many_engine
from exmc_dask.cluster.messages.wire import Spec
from exmc_dask.cluster.plan.moves import BlockResult, Note, Progress
from exmc_dask.cluster.plan.nouns import place_of, unit_of
from exmc_dask.cluster.session import session
from exmc_dask.errors import ExmcError, ModelError, OptionError
from exmc_dask.language.builder import Model
from exmc_dask.options import model_of, refuse, seed_of
from exmc_dask.runs.recipe import Recipe, write
from exmc_dask.runs.terms import Terms
from exmc_dask.runs.wishes import heeding
from exmc_dask.sampler.settings import Settings

if TYPE_CHECKING:
    import xarray as xr

ELSEWHERE = {
    "initvals": "chains start at each set's own support point plus jitter",
    "log_likelihood": "call ed.compute_log_likelihood in reduce=, after model.set_data",
}


def map(
    model: Model,
    datasets: Mapping[Any, Mapping[str, Any]] | Sequence[Mapping[str, Any]],
    *,
    reduce: "Callable[[xr.DataTree], Any] | None" = None,
    draws: int = 1000,
    tune: int = 400,
    chains: int = 4,
    client: Any = None,
    cluster: Any = None,
    random_seed: int | None = None,
    target_accept: float = 0.8,
    max_treedepth: int = 10,
    adapt: Literal["fisher", "stan"] = "fisher",
    metric: Literal["diag", "dense", "low_rank"] = "diag",
    ncp: bool | Literal["auto"] | Mapping[str, bool] = "auto",
    sufficient: bool = True,
    var_names: str | Sequence[str] | None = None,
    thin: int = 1,
    discard_tuned_samples: bool = True,
    progressbar: bool | str | Callable[[Progress | Note], None] = True,
    on_failure: Literal["raise", "drop"] = "raise",
    block_draws: int | None = None,
    **unknown: Any,
) -> Any:
    """Sample one model once for each of many sets of data.

    It is compiled once, and chains of all sets are spread over the workers like those of one run,
    with the same recovery. Data of any length do.

    Parameters
    ----------
    model : Model
    datasets : sequence or mapping of mappings
        Each is what ``model.set_data`` takes: slot name -> array. What a set leaves out stays as
        it is in the model, which is itself not changed.
    reduce : callable, optional
        Called with the DataTree of a set as soon as it is whole; what it returns stands in its
        place, and the draws are let go. Without it all draws are kept.
    draws, tune, chains, client, cluster, target_accept, max_treedepth, adapt, metric, ncp
        As in `exmc_dask.sample`, and so for the other options.
    random_seed : int, optional
        Each set has a seed of its own that is derived from it and from the place of the set, and
        stands in the attributes of its result: `exmc_dask.sample` with that seed and that data
        gives the same draws.
    on_failure : {"raise", "drop"}
        Whether a chain that cannot go on ends everything, or only itself.

    Returns
    -------
    list or dict
        A DataTree, or what `reduce` made of it, for each set: in the order of a sequence, under
        the names of a mapping. None for sets without draws, after Ctrl-C or where all chains were
        dropped.

    Raises
    ------
    OptionError
        An option does not exist or has an impossible value, or there is no set.
    ModelError
        Data do not fit the model; the message names the set.
    SamplingError, ClusterError
        A chain or the cluster cannot go on; of a chain the message names the set. Results so far
        are in the error's ``partial``.
    """
    refuse(map, unknown, ELSEWHERE)
    model = model_of("map", model)
    terms = Terms(client, cluster, progressbar, on_failure, block_draws)
    settings = Settings(
        seed=seed_of(random_seed),
        draws=draws,
        tune=tune,
        target_accept=target_accept,
        max_treedepth=max_treedepth,
        adapt=adapt,
        metric=metric,
        thin=thin,
    )
    recipe = write(
        model,
        settings,
        chains,
        ncp=ncp,
        sufficient=sufficient,
        var_names=var_names,
        warmup=not discard_tuned_samples,
    )
    return carry_out(recipe, terms, datasets, lambda _, trace: reduce(trace) if reduce else trace)


def carry_out(
    recipe: Recipe,
    terms: Terms,
    datasets: Mapping[Any, Mapping[str, Any]] | Sequence[Mapping[str, Any]],
    reduce: "Callable[[int, xr.DataTree], Any]",
) -> Any:
    """Do what `map` does, with a function that is also told the number of its set."""
    sets, chains, settings = _Sets(recipe, datasets), recipe.chains, recipe.settings
    work = _Work(sets, reduce)
    units = [unit_of(k, chain, len(sets)) for k in range(len(sets)) for chain in range(chains)]
    with session(
        many_engine.join(recipe.spec, sets.specs, sets.called),
        units,
        settings.total,
        client=terms.client,
        cluster=terms.cluster,
        progressbar=terms.progressbar,
        tune=settings.tune,
        on_block=work.take,
        on_over=work.end,
        max_block=terms.block_draws,
        on_failure=terms.on_failure,
        keep=False,
    ) as driver:
        work.reduce_all(driver)
    if isinstance(driver.error, ExmcError):
        driver.error.partial = work.results()
    if driver.error is not None:
        raise driver.error
    return work.results()


class _Sets:
    """The sets of data as recipes, each made when it is asked for."""

    def __init__(self, recipe: Recipe, datasets: Any) -> None:
        if not isinstance(datasets, Mapping | Sequence) or not len(datasets):
            raise OptionError("datasets: give a list or a mapping of sets of data, at least one")
        self.recipe = recipe
        self.names = list(datasets) if isinstance(datasets, Mapping) else None
        self._data = list(datasets.values() if isinstance(datasets, Mapping) else datasets)
        self.called = [repr(k if self.names is None else self.names[k]) for k in range(len(self))]
        self.specs = [self._spec(k) for k in range(len(self._data))]

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, k: int) -> Recipe:
        recipe, seed = self.recipe, many_engine.seed_of(self.recipe.settings.seed, k)
        settings = replace(recipe.settings, seed=seed)
        return replace(recipe, model=self._model(k), spec=self.specs[k], settings=settings)

    def _spec(self, k: int) -> Spec:
        model, density = self._model(k), self.recipe.density
        return replace(
            self.recipe.spec,
            data=density.fold(model.data),
            support_point=density.support_point(model.data),
        )

    def _model(self, k: int) -> Model:
        """Return the model with the data of a set, which are checked with it."""
        data = self._data[k]
        if not isinstance(data, Mapping):
            raise OptionError(
                f"data set {self.called[k]} is no mapping of slot names to arrays: {data!r:.60}"
            )
        model = copy.copy(self.recipe.model)
        try:
            model.set_data(data)
            model.check_observed()
        except ModelError as error:
            raise type(error)(f"data set {self.called[k]}: {error}") from None
        return model


class _Work:
    """Blocks of all sets as they come in, and what is made of those sets that are whole."""

    def __init__(self, sets: _Sets, reduce: "Callable[[int, xr.DataTree], Any]") -> None:
        self._sets = sets
        self._reduce = reduce
        self._blocks: list[dict[int, list[BlockResult]]] = [{} for _ in sets.specs]
        self._left = [sets.recipe.chains] * len(sets)  # chains that are not complete
        self._whole: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._made: dict[int, Any] = {}

    # In the run's thread -------------------------------------------------------------------------

    def take(self, block: BlockResult) -> None:
        """Take a block."""
        k, chain = place_of(block.unit, len(self._sets))
        self._blocks[k].setdefault(chain, []).append(block)
        if block.state.draw == self._sets.recipe.settings.total:
            self._left[k] -= 1
            if not self._left[k]:
                self._whole.put(k)

    def end(self) -> None:
        """Take no more: the run is over."""
        self._whole.put(None)

    # In the caller's -----------------------------------------------------------------------------

    def reduce_all(self, driver: Driver) -> None:
        """Make results of sets until the run is over; a Ctrl-C is a wish to end it.

        The sets that are not whole by then have the draws that all of their chains have.
        """
        heeding(driver.ask, self._make_those_that_are_whole)
        dropped = {place_of(unit, len(self._sets)) for unit in driver.dropped()}
        for k in range(len(self._sets)):
            if k not in self._made:
                for chain in range(self._sets.recipe.chains):
                    if (k, chain) in dropped:
                        self._blocks[k].pop(chain, None)
                self._make(k)

    def _make_those_that_are_whole(self) -> None:
        while (k := self._whole.get()) is not None:
            self._make(k)

    def results(self) -> Any:
        """Return what was made, in the shape in which sets were given."""
        made = [self._made.get(k) for k in range(len(self._sets))]
        return made if self._sets.names is None else dict(zip(self._sets.names, made, strict=True))

    def _make(self, k: int) -> None:
        recipe, blocks, made = self._sets[k], self._blocks[k], None
        if blocks and min(chain[-1].state.draw for chain in blocks.values()) > recipe.settings.tune:
            made = self._reduce(k, recipe.tree(blocks, {}))
        self._made[k], self._blocks[k] = made, {}
