"""Draws of what a model says of data: before it has seen any, and after."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from exmc_dask.dist.law import event_ndim
from exmc_dask.errors import OptionError
from exmc_dask.expressions.graph import leaves
from exmc_dask.language.builder import Model
from exmc_dask.language.model import ModelSpec
from exmc_dask.options import (
    FORWARD,
    Place,
    model_and_counts,
    names_of,
    refuse,
    seed_of,
    trace_and_model,
)
from exmc_dask.predictive.groups import data_groups, extended, seen_name, tree
from exmc_dask.predictive.plan import Plan, parts_of, plan
from exmc_dask.predictive.spread import carried_out
from exmc_dask.predictive.trace import Trace, read, whole
from exmc_dask.results.output import dataset, provenance
from exmc_dask.warned import ImplicitFreezeWarning, warn


def sample_prior_predictive(
    *first: Model | int,
    draws: int = 500,
    model: Model | None = None,
    var_names: str | Sequence[str] | None = None,
    random_seed: int | None = None,
    client: Any = None,
    cluster: Any = None,
    progressbar: Any = True,
    **unknown: Any,
) -> xr.DataTree:
    """Draw variables and data from a model that has seen no data.

    Potentials do not count, since nothing can be drawn from them.

    Parameters
    ----------
    *first
        The model, if it is not given by name or by being inside its ``with`` block.
    draws : int
    var_names : str or sequence of str, optional
        Variables, observed expressions and deterministics; all by default.
    random_seed : int, optional
        One seed, one result; drawn and kept in the result's attributes by default.
    client, cluster
        As in `exmc_dask.sample`: where draws are made. By default here, and where they take more
        than a second as `sample` would; the draws are the same.
    progressbar
        As in `exmc_dask.sample`; draws that are made here show nothing.

    Returns
    -------
    xarray.DataTree
        Groups prior (free variables and deterministics), prior_predictive (what is observed in the
        model, or drawn in prediction only), observed_data, constant_data; draws are
        ``(chain, draw, ...)`` with one chain.

    Raises
    ------
    ModelError
        A variable cannot be drawn: `Flat`, `Custom` without ``draw=``, or parameters that the
        priors above it lead to where there is no distribution.
    OptionError, UnknownName, ClusterError
    """
    refuse(sample_prior_predictive, unknown, FORWARD)
    model, counts = model_and_counts("sample_prior_predictive", first, model, ("draws",))
    draws = counts[0] if counts else draws
    if not isinstance(draws, int | np.integer) or draws < 1:
        raise OptionError(f"draws={draws!r} is not possible; it has to be a whole number above 0")
    spec = model.spec
    names = names_of("var_names", var_names)
    _warn_of_potentials(spec)
    empty = Trace(
        variables={},
        samples={"chain": np.arange(1), "draw": np.arange(int(draws))},
        labels={},
        constants={},
        observed=(),
    )
    behind = model.sizes.behind
    wanted = tuple(parts_of(spec, behind)) if names is None else names
    todo = plan(spec, wanted, behind=behind)
    seed = seed_of(random_seed)
    place = Place(client, cluster, progressbar)
    made = carried_out(model, todo, empty, seed, "prior", place)
    seen = set(_foretold(spec, behind))
    groups = {
        "prior": {name: array for name, array in made.items() if name not in seen},
        "prior_predictive": {name: array for name, array in made.items() if name in seen},
    }
    return tree(
        {
            **{name: _group(model, part, empty, seed) for name, part in groups.items() if part},
            **data_groups(model),
        }
    )


def sample_posterior_predictive(
    trace: Any,
    model: Model | None = None,
    *,
    var_names: str | Sequence[str] | None = None,
    sample_vars: str | Sequence[str] | None = None,
    freeze_vars: str | Sequence[str] | None = None,
    sample_dims: Sequence[str] | None = None,
    random_seed: int | None = None,
    predictions: bool = False,
    extend_inferencedata: bool = False,
    client: Any = None,
    cluster: Any = None,
    progressbar: Any = True,
    **unknown: Any,
) -> xr.DataTree:
    """Draw data from a model given the draws of a posterior.

    Free variables that the trace holds keep their values; everything observed is drawn, and so are
    variables declared with ``likelihood=False`` and free variables that the trace lacks. A
    deterministic is calculated anew where a variable in it is drawn or data in it changed, else
    taken from the trace. Variables are matched by name, so the model may be another than the one
    that was sampled. Potentials do not count.

    Parameters
    ----------
    trace : DataTree or Dataset
        What `sample` returned, or a posterior.
    model : Model, optional
        By default the one whose ``with`` block is open.
    var_names : str or sequence of str, optional
        What the result holds; by default `sample_vars`, without them everything observed or drawn
        in prediction only, and the deterministics that are made of it.
    sample_vars : str or sequence of str, optional
        Variables to draw, and deterministics to calculate, although the trace holds them.
    freeze_vars : str or sequence of str, optional
        Variables and deterministics to take from the trace whatever changed above them.
    sample_dims : sequence of str, optional
        Dimensions along which draws lie; chain and draw by default.
    random_seed : int, optional
        One seed, one result; drawn and kept in the result's attributes by default.
    predictions : bool
        The data are others than those the model was sampled with: the result is called
        predictions. Observed values need not have been given; there will be as many as the other
        data, and the coordinates, ask for.
    extend_inferencedata : bool
        Put the result into `trace` and return that; data of the model that it has already stay.
    client, cluster
        As in `exmc_dask.sample`: where draws are made. By default here, and where they take more
        than a second as `sample` would; the draws are the same.
    progressbar
        As in `exmc_dask.sample`; draws that are made here show nothing.

    Returns
    -------
    xarray.DataTree
        Groups posterior_predictive, observed_data and constant_data; or predictions and
        predictions_constant_data.

    Warns
    -----
    ImplicitFreezeWarning
        A variable is kept although something above it changed.
    UserWarning
        A free variable is not in the trace, and so is drawn from its law given its parents; or the
        model has potentials; or a group of `trace` is replaced.

    Raises
    ------
    OptionError, UnknownName, ClusterError
    ShapeError
        A variable has another shape in the trace; or observed values were left behind by
        ``set_data`` without ``predictions=True``.
    ModelError
        A variable cannot be drawn.
    """
    refuse(sample_posterior_predictive, unknown, FORWARD)
    trace, model = trace_and_model("sample_posterior_predictive", trace, model)
    if not predictions:
        model.check_observed()
    spec = model.spec
    held = read(trace, sample_dims)
    renew, freeze = names_of("sample_vars", sample_vars), names_of("freeze_vars", freeze_vars)
    _check_choice(held, renew or (), freeze or ())
    behind = model.sizes.behind
    names = names_of("var_names", var_names) or renew or _replicated(spec, held, behind)
    changed, new = _data_changes(model, held)
    todo = plan(
        spec,
        names,
        held=held.variables,
        changed=changed,
        unknown=new,
        renew=renew or (),
        freeze=freeze or (),
        behind=behind,
    )
    _warn_of_potentials(spec)
    _warn_of_absent(spec, todo, renew or (), behind)
    _warn_of_outrun(model, todo, held, freeze or ())
    seed = seed_of(random_seed)
    place = Place(client, cluster, progressbar)
    made = carried_out(model, todo, held, seed, "posterior", place)
    name = "predictions" if predictions else "posterior_predictive"
    groups = {name: _group(model, made, held, seed)}
    beside = data_groups(model, predictions=predictions)
    if not extend_inferencedata:
        return tree(groups | beside)
    target = whole(trace, "extend_inferencedata")
    if not predictions:  # what the trace was conditioned on stays what it says
        beside = {key: group for key, group in beside.items() if key not in target.children}
    return extended(target, groups | beside)


def _check_choice(held: Trace, renew: Sequence[str], freeze: Sequence[str]) -> None:
    for name in freeze:
        if name not in held.variables:
            raise OptionError(f"freeze_vars: '{name}' is not in the trace, so there is no value")
        if name in renew:
            raise OptionError(f"'{name}' cannot be both in sample_vars and in freeze_vars")


def _replicated(spec: ModelSpec, held: Trace, behind: Collection[str]) -> tuple[str, ...]:
    """Name what is observed here or was where the trace comes from, and what is made of it.

    Variables that are drawn in prediction only are there to be drawn, so they are named too.
    """
    parts = parts_of(spec, behind)
    seen = _foretold(spec, behind)
    seen += [name for name in held.observed if name in parts and name not in seen]
    seen += [v.name for v in spec.variables if v.n_missing]
    made = [d.name for d in spec.deterministics if not set(seen).isdisjoint(leaves(d.node))]
    return tuple(dict.fromkeys(seen + made))


def _foretold(spec: ModelSpec, behind: Collection[str]) -> list[str]:
    """Names of what is observed, as results have them, and of what is drawn in prediction only."""
    seen = [v.name if v.name in behind else seen_name(v) for v in spec.observed]
    return [*seen, *(o.name for o in spec.observations), *(v.name for v in spec.predicted)]


def _data_changes(model: Model, held: Trace) -> tuple[set[str], set[str]]:
    """Slots that hold other arrays than when the model was sampled; those not kept with it."""
    known = {slot: array for slot, array in held.constants.items() if slot in model.data}
    changed = {s for s, array in known.items() if not np.array_equal(array, model.data[s])}
    return changed, model.data.keys() - known.keys()


def _group(model: Model, made: Mapping[str, np.ndarray], held: Trace, seed: int) -> xr.Dataset:
    parts = parts_of(model.spec)
    arrays = {name: (held.laid_out(array), parts[name].dims) for name, array in made.items()}
    coords = {**model.coords, **held.samples}
    return dataset(arrays, coords, {**provenance(), "seed": seed}, tuple(held.samples))


def _warn_of_potentials(spec: ModelSpec) -> None:
    if spec.potentials:
        names = ", ".join(f"'{p.name}'" for p in spec.potentials)
        warn(f"nothing can be drawn from a potential, so {names} does not count in these draws")


def _warn_of_absent(
    spec: ModelSpec, todo: Plan, renew: Sequence[str], behind: Collection[str]
) -> None:
    """Say which free variables are drawn from their laws for want of draws of the posterior."""
    undone = {name for o in spec.observations for name in leaves(o.node)}
    free = {v.name for v in spec.free} - undone - set(renew)
    whole = {v.name: v.shares[0] for v in spec.observed if v.n_missing and not event_ndim(v.dist)}
    imputed = [whole[n] for n in todo.drawn if n in whole and n not in {*behind, *todo.overlaid}]
    for name in dict.fromkeys((*todo.drawn, *imputed)):
        if name in free:
            warn(
                f"'{name}' is not in the trace and is drawn from its law given its parents; keep "
                "it when you sample (var_names=), or name it in sample_vars= if this is meant"
            )


def _warn_of_outrun(model: Model, todo: Plan, held: Trace, freeze: Sequence[str]) -> None:
    """Say which variables are kept although something above them, or along them, changed."""
    outrun = {name: list(why) for name, why in todo.outrun.items()}
    for name in set(todo.kept) - set(freeze):
        for dim in filter(None, parts_of(model.spec)[name].dims):
            before, now = held.labels.get(dim), model.coords.get(dim)
            if before is not None and now is not None and not np.array_equal(before, now):
                outrun.setdefault(name, []).append(f"'{dim}' has other coordinates")
    for name, why in sorted(outrun.items()):
        warn(
            f"'{name}' keeps its values in the trace although {', '.join(why)}; name it in "
            "sample_vars= to draw it anew, or in freeze_vars= if this is meant",
            ImplicitFreezeWarning,
        )
