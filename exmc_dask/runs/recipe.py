"""Recipe: all that decides the draws of a run and how they are laid out, fixed before it begins."""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from exmc_dask.cluster.messages.wire import Spec
from exmc_dask.cluster.plan.moves import Note, Trouble
from exmc_dask.errors import CompileError, ModelError, OptionError
from exmc_dask.expressions.axes import extents
from exmc_dask.language.builder import Model
from exmc_dask.lowering.density import LogDensity, Output, lower
from exmc_dask.runs.bulk import large
from exmc_dask.runs.gpus import Share, Wish
from exmc_dask.runs.initials import initials_of, support_point
from exmc_dask.runs.superchains import grouped, shared
from exmc_dask.runs.units import CHAINS, MOST, Batches, Chains, standing
from exmc_dask.runs.until import Until, looks, read
from exmc_dask.runs.warmstart import Earlier, from_run, from_trace
from exmc_dask.sampler.pooling import Pooling
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.state import FLOAT_STATS, INT_STATS, State
from exmc_dask.warned import warn

if TYPE_CHECKING:
    import xarray as xr

    from exmc_dask.cluster.plan.moves import BlockResult


@dataclass(frozen=True, eq=False)
class Recipe:
    """A run before it begins; equal recipes give equal draws wherever they are run.

    Attributes
    ----------
    model : Model
        A copy of its own: what becomes of the user's model later changes nothing here.
    density : LogDensity
    spec : Spec
        What workers are sent.
    settings : Settings
        As in the spec, but for ``draws``, of which workers need not know.
    chains : int
    initials : mapping of int to (dim,) or (n,) float64
        What some chains start from, see `exmc_dask.sampler.start.start`.
    units : Chains
        What is handed to workers.
    share : Share, optional
        What it takes of each GPU, if it is for GPUs.
    shrinks, else_cpus, returns : bool
        Where chains do not fit into a GPU there may be fewer at a time; where no GPU can go on with
        it, CPUs may; and where CPUs did, GPUs may again.
    before : tuple of str
        Targets that chains had before the spec's.
    changes : tuple of tuple of str
        For each of these, from which draw on which chains had another after it, in words.
    until : Until, optional
        What lets the run end before it has all draws.
    warmup, log_likelihood, log_prior : bool
        Groups that the result has beside those it always has.
    keep : {"draws", "moments"}
        What the run keeps of its draws.
    """

    model: Model
    density: LogDensity
    spec: Spec
    settings: Settings
    chains: int
    initials: Mapping[int, NDArray[np.float64]]
    units: Chains = CHAINS
    share: Share | None = None
    shrinks: bool = False
    else_cpus: bool = False
    returns: bool = False
    before: tuple[str, ...] = ()
    changes: tuple[tuple[str, ...], ...] = ()
    until: Until | None = None
    warmup: bool = False
    log_likelihood: bool = False
    log_prior: bool = False
    keep: Literal["draws", "moments"] = "draws"

    def to_draw(self, draws: int, until: Until | None = None) -> "Recipe":
        """Return the same recipe for another number of draws; those of both are equal."""
        return replace(self, settings=replace(self.settings, draws=draws), until=until)

    def in_batches(self, units: Batches, lanes: int, block: int, tile: int) -> "Recipe":
        """Return the same recipe for GPUs, of such batches of its chains."""
        from exmc_dask.cluster.engines.batch import device_bytes, join, part

        plain = part(self.spec)
        spec = join(plain, units.bounds, lanes, block, tile)
        sizes = (lanes, tile, units.largest)
        share = Share(
            lanes,
            block,
            tile,
            units.largest,
            device_bytes(self.density, plain.data, self.settings, *sizes),
        )
        return replace(self, units=units, spec=spec, share=share)

    def on_cpus(self, states: Mapping[int, State], *, returns: bool = False) -> "Recipe":
        """Return the same recipe for CPUs, after it was one for GPUs up to these states."""
        from exmc_dask.cluster.engines.batch import part

        other = replace(self, units=CHAINS, spec=part(self.spec), returns=returns)
        return other.after(self.spec.target, states)

    def again_on_gpus(self, states: Mapping[int, State]) -> "Recipe":
        """Return the same recipe for GPUs as it was, after CPUs had gone on with it up to these.

        For CPUs still where its chains cannot be put into batches.
        """
        assert self.share is not None
        share = self.share
        wish = Wish(1, share.lanes, share.block, share.batch, else_cpus=True)
        other = replace(on_gpus(self, wish, states), shrinks=self.shrinks, returns=False)
        return other if other.units is CHAINS else other.after(self.spec.target, states)

    def after(self, target: str, states: Mapping[int, State]) -> "Recipe":
        """Return the same recipe after chains had another target up to these states."""
        change = tuple(
            f"{self.spec.target} after {target} from draw {draw} on: {chains}"
            for chains, draw in standing(states)
        )
        return replace(self, before=(*self.before, target), changes=(*self.changes, change))

    @property
    def targets(self) -> tuple[str, ...]:
        """Those that chains had, one after the other."""
        return (*self.before, self.spec.target)

    @property
    def target(self) -> str:
        """What kernels were compiled for, one after the other."""
        return ", then ".join(self.targets)

    @property
    def looks(self) -> tuple[int, ...]:
        """Draws, warmup included, after which it is asked whether there are enough."""
        if self.until is None:
            return ()
        return tuple(self.settings.tune + k for k in looks(self.settings.draws))

    @property
    def pooling(self) -> Pooling | None:
        """Which chains share what their warmup teaches them, and when."""
        return Pooling.of(self.settings, self.chains)

    @property
    def barriers(self) -> Pooling | None:
        """The same where it is units that have to wait for each other; a batch sees to itself."""
        return self.pooling if self.units is CHAINS else None

    @cached_property
    def outputs(self) -> list[Output]:
        """Names, shapes and dimensions of the columns of draws, in order."""
        lengths = self.density.axis_lengths(self.spec.data)
        return [replace(o, shape=extents(o.shape, lengths)) for o in self.density.outputs]

    @property
    def columns(self) -> list[tuple[str, tuple[int, ...]]]:
        """Names and shapes of the same."""
        return list(self.spec.columns.items())

    def to_stream(self) -> list[tuple[str, tuple[int, ...]]]:
        """Return the same for who wants single draws, if they can be had."""
        if self.keep == "moments":
            raise OptionError(
                "a stream hands on single draws, and this run keeps none of them "
                "(keep='moments'); sample with keep='draws', and into a store= if they are many"
            )
        return self.columns

    def tree(
        self, results: Mapping[int, Sequence["BlockResult"]], attrs: Mapping[str, Any]
    ) -> "xr.DataTree":
        """Lay blocks out as the result, with the draws that all of their chains have."""
        from exmc_dask.predictive.groups import constant_data, observed_data
        from exmc_dask.results.output import to_datatree

        about: Any = {
            "coords": self.model.coords,
            "observed_data": observed_data(self.model),
            "constant_data": constant_data(self.model),
            "attrs": {
                "model": self.model.spec.key,
                "target": self.target,
                **({"target_changes": list(chain(*self.changes))} if self.changes else {}),
                **self._of_gpus(results),
                **attrs,
            },
        }
        if self.keep == "moments":
            from exmc_dask.results.moments_tree import to_moments_tree

            return to_moments_tree(results, self.outputs, self.settings, **about)
        free = self.density.variables.entries
        return to_datatree(
            results, self.outputs, self.settings, free=free, warmup=self.warmup, **about
        )

    def _of_gpus(self, results: Mapping[int, Sequence["BlockResult"]]) -> dict[str, int]:
        """Say how GPUs were used; nothing where they were not."""
        if self.share is None:
            return {}
        launches = sum(block.launches for blocks in results.values() for block in blocks)
        return self.share.attrs(launches)

    @property
    def notes(self) -> list[Note]:
        """What those who watch the run are told before it begins."""
        on_gpus = self.share is not None and self.spec.target == "cuda"
        of_gpus = Note(Trouble.GPU, str(self.share)) if on_gpus else None
        shelf, at_most = self.spec.shelf, self.until is not None
        of_size = None
        if self.keep == "draws":
            place = None if shelf is None else shelf.place
            of_size = large(self.expected_bytes, place, at_most=at_most)
        return [note for note in (of_gpus, of_size) if note is not None]

    @property
    def expected_bytes(self) -> int:
        """Size of all draws that it keeps, with their statistics, if it makes all of them."""
        settings = self.settings
        width = (
            sum(math.prod(shape) for _, shape in self.columns) + len(FLOAT_STATS) + len(INT_STATS)
        )
        width += self.density.layout.dim if settings.store_unconstrained else 0
        rows = -(-settings.draws // settings.thin)
        rows += settings.tune // settings.thin if self.warmup else 0
        return 8 * self.chains * rows * width

    def add_densities(self, trace: "xr.DataTree") -> None:
        """Add the groups of log-densities that were asked for."""
        if self.log_likelihood or self.log_prior:
            from exmc_dask.predictive.pointwise import compute_log_likelihood, compute_log_prior

            if self.log_likelihood:
                compute_log_likelihood(trace, self.model)
            if self.log_prior:
                compute_log_prior(trace, self.model)


def write(
    model: Model,
    settings: Settings,
    chains: int,
    *,
    gpus: Wish | None = None,
    superchains: int | None = None,
    initvals: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ncp: Any = "auto",
    sufficient: bool = True,
    var_names: str | Sequence[str] | None = None,
    warm_start: Any = None,
    until: Mapping[str, Any] | None = None,
    warmup: bool = False,
    log_likelihood: bool = False,
    log_prior: bool = False,
    keep: Literal["draws", "moments"] = "draws",
) -> Recipe:
    """Write the recipe of a run; options are those of `exmc_dask.sample`.

    With `gpus` it is one for GPUs.

    Raises
    ------
    CompileError, ModelError, OptionError
        The model cannot be sampled, or an option has an impossible value.
    """
    if not isinstance(chains, int) or chains < 1:
        raise OptionError(f"chains={chains!r} is not possible; it has to be a whole number above 0")
    if settings.pool and chains == 1:
        raise OptionError("pool= lets chains learn together, and there is one; raise chains=")
    options: dict[str, Any] = {
        "ncp": ncp if isinstance(ncp, bool | str) else dict(ncp),
        "sufficient": sufficient,
        "var_names": [var_names] if isinstance(var_names, str) else var_names and list(var_names),
    }
    if not model.spec.free:
        raise ModelError("the model has no free variable, so there is nothing to sample")
    model.check_observed()
    model = copy.copy(model)
    density = lower(model.spec, **options)
    _check_needed(model, density, log_likelihood, log_prior)
    data = density.fold(model.data)
    lengths = density.axis_lengths(data)
    if superchains is not None:
        settings = grouped(settings, chains, superchains, initvals)
    starts = chains // (settings.superchain_size or 1)
    if warm_start is None:
        initials = initials_of(
            initvals, model, density, starts, "superchains" if superchains else "chains"
        )
    elif initvals is not None:
        raise OptionError("give either initvals= or warm_start=, which has starting points too")
    elif isinstance(warm_start, Earlier):
        initials = from_run(warm_start, density, settings, starts)
    else:
        initials = from_trace(warm_start, model, density, settings, starts)
    recipe = Recipe(
        model=model,
        density=density,
        spec=Spec(
            model=model.spec.to_bytes(),
            options=options,
            settings=settings.to_dict(),
            target="cpu",
            data=data,
            support_point=support_point(density, model),
            columns={output.name: extents(output.shape, lengths) for output in density.outputs},
        ),
        settings=settings,
        chains=chains,
        initials=shared(initials, settings),
        warmup=warmup,
        log_likelihood=log_likelihood,
        log_prior=log_prior,
        keep=keep,
    )
    if gpus is not None:
        recipe = on_gpus(recipe, gpus)
    if until is None:
        return recipe
    kept = -(-settings.draws // settings.thin)
    return recipe.to_draw(settings.draws, read(until, recipe.columns, kept, chains))


def on_gpus(recipe: Recipe, wish: Wish, states: Mapping[int, State] | None = None) -> Recipe:
    """Make batches of the chains of a recipe, some of which may go on from states.

    Where its model cannot be translated for GPUs and CPUs may be used, they are, with a warning.

    The number of lanes follows from the model and the number of chains, the rows of a tile from the
    data, and neither from the batches: these follow from the number of GPUs, which is to change no
    draw.
    """
    from exmc_dask.cluster.engines.batch import lanes_for, tile_for

    recipe = replace(recipe, shrinks=wish.batch is None, else_cpus=wish.else_cpus)
    units = Batches.for_gpus(recipe.chains, wish.gpus, wish.batch or MOST, states)
    try:
        if recipe.pooling is not None:
            units = units.in_groups(recipe.pooling, wish.batch or MOST)
            if not units.stand_together(states or {}):
                raise OptionError(
                    "chains that learn together (pool=) stand before different draws, as after a "
                    "crash, and a GPU cannot let some wait for others; use target='cpu'"
                )
        data, chains = recipe.spec.data, min(recipe.chains, MOST)
        lanes = wish.lanes or lanes_for(recipe.density, data, chains)
        tile = tile_for(recipe.density, data, wish.tile)
        return recipe.in_batches(units, lanes, wish.block, tile)
    except (CompileError, OptionError) as error:
        if not wish.else_cpus:
            raise
        warn(f"target='auto' is 'cpu' for this run, although there are GPUs: {error}")
        return recipe


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
