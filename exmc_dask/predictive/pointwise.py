"""Log-densities of draws, element by element: of what was observed, and of the variables."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from exmc_dask import math
from exmc_dask.dist import logp
from exmc_dask.dist.law import event_ndim
from exmc_dask.expressions.axes import broadcast, extents
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.graph import is_data
from exmc_dask.expressions.ir import Node, broadcast_to
from exmc_dask.expressions.ops import Op
from exmc_dask.language.builder import Model
from exmc_dask.language.model import ModelSpec, Observation, Variable
from exmc_dask.options import FORWARD, names_of, refuse, trace_and_model
from exmc_dask.predictive.groups import extended, seen_name
from exmc_dask.predictive.replay import Expression, check_names, replayed
from exmc_dask.predictive.trace import read, whole
from exmc_dask.rewrite.draft import Term, draft
from exmc_dask.rewrite.measurable import measurable
from exmc_dask.rewrite.terms import elements, resolve


def compute_log_likelihood(
    trace: Any,
    model: Model | None = None,
    *,
    var_names: str | Sequence[str] | None = None,
    extend_inferencedata: bool = True,
    sample_dims: Sequence[str] | None = None,
    **unknown: Any,
) -> xr.DataTree | xr.Dataset:
    """Log-density of every observed element for every draw, as `arviz.loo` takes it.

    Parameters
    ----------
    trace : DataTree or Dataset
        What `sample` returned; a posterior if nothing is to be extended.
    model : Model, optional
        By default the one whose ``with`` block is open.
    var_names : str or sequence of str, optional
        Observed variables; by default all whose ``likelihood`` counts.
    extend_inferencedata : bool
        Put the group log_likelihood into `trace` and return that, rather than the group.
    sample_dims : sequence of str, optional
        Dimensions along which draws lie; chain and draw by default.

    Returns
    -------
    DataTree or Dataset
        ``(chain, draw, ...)`` of each observed variable, in the shape of its observations without
        the axes of an event: a vector of `MvNormal` has one log-density. Elements that `mask`
        leaves out are left out, and the others lie along one axis; so do those of a variable with
        imputed entries, called ``NAME_observed``. A vector in which some entries are imputed has
        the log-density of all of it. `weight` multiplies; `reduce` does not show. ``y = A @ x`` has
        one log-density for all of y. Arrays above 1 GiB are Dask's, calculated when they are read;
        `arviz.loo` wants them loaded.

    Raises
    ------
    UnknownName
        No such observed variable, or the trace lacks a variable on which it depends.
    """
    refuse(compute_log_likelihood, unknown, FORWARD)
    trace, model = trace_and_model("compute_log_likelihood", trace, model)
    names = names_of("var_names", var_names)
    group = replayed(model, likelihoods(model, names), read(trace, sample_dims))
    if not extend_inferencedata:
        return group
    return extended(whole(trace, "extend_inferencedata"), {"log_likelihood": group})


def compute_log_prior(
    trace: Any,
    model: Model | None = None,
    *,
    var_names: str | Sequence[str] | None = None,
    extend_inferencedata: bool = True,
    sample_dims: Sequence[str] | None = None,
    **unknown: Any,
) -> xr.DataTree | xr.Dataset:
    """Log-density of every free variable for every draw, given its parents, without Jacobians.

    Parameters and returned values are those of `compute_log_likelihood`, the group is log_prior.
    Imputed entries are free variables; those of vectors have no density of their own and are not in
    the group. Potentials do not count.
    """
    refuse(compute_log_prior, unknown, FORWARD)
    trace, model = trace_and_model("compute_log_prior", trace, model)
    names = names_of("var_names", var_names)
    group = replayed(model, priors(model, names), read(trace, sample_dims))
    if not extend_inferencedata:
        return group
    return extended(whole(trace, "extend_inferencedata"), {"log_prior": group})


def likelihoods(model: Model, names: Sequence[str] | None = None) -> list[Expression]:
    """Return the elementwise log-density of what a model observes, in the user's variables.

    Raises
    ------
    UnknownName
        One of `names` is not observed.
    ShapeError
        Observed values were left behind by ``set_data``.
    """
    model.check_observed()
    seen: dict[str, Variable | Observation] = {seen_name(v): v for v in model.spec.observed}
    seen |= {o.name: o for o in model.spec.observations}
    if names is None:
        names = [name for name, record in seen.items() if record.likelihood]
    check_names(names, seen, "observed")
    given = measurable(draft(_counting(model.spec)))
    terms, fixed = {term.name: term for term in given.terms}, dict(given.fixed)
    return [_likelihood(name, terms[seen[name].name], seen[name], fixed, model) for name in names]


def priors(model: Model, names: Sequence[str] | None = None) -> list[Expression]:
    """Return the elementwise log-density of a model's free variables.

    Raises
    ------
    UnknownName
        One of `names` is not a free variable.
    """
    given = measurable(draft(_counting(model.spec)))
    fixed, terms = dict(given.fixed), {term.name: term for term in given.terms}
    free = {f.name: f for f in given.free}
    found: dict[str, Expression] = {}
    for v in model.spec.observed:
        for name in v.shares[:1]:
            entries = free.pop(name)  # their density is part of that of the whole
            if not event_ndim(v.dist):
                (node,) = resolve([elements(terms[v.name])], fixed)
                found[name] = Expression(name, node, entries.dims, _places(v, model) >= 0)
    for f in free.values():
        (node,) = resolve([logp(f.dist, f.node)], fixed)
        found[f.name] = Expression(f.name, node, f.dims[: node.ndim])
    wanted = [v.name for v in model.spec.free if v.name in found] if names is None else names
    check_names(wanted, found, "a free variable with a density of its own")
    return [found[name] for name in wanted]


def _counting(spec: ModelSpec) -> ModelSpec:
    """Let every observation count, also where the model's own density leaves it out."""
    later = spec.predicted
    return replace(
        spec,
        variables=tuple(v if v in later else replace(v, likelihood=True) for v in spec.variables),
        observations=tuple(replace(o, likelihood=True) for o in spec.observations),
    )


def _likelihood(
    name: str,
    term: Term,
    record: Variable | Observation,
    fixed: Mapping[Node, Node],
    model: Model,
) -> Expression:
    node, mask = elements(term), term.mask
    if mask is not None:
        shape = broadcast(mask.shape, node.shape)
        mask, node = broadcast_to(mask, shape), broadcast_to(node, shape)
        if not is_data(mask):  # which elements count differs from draw to draw
            node, mask = math.where(mask, node, 0.0), None
    if term.log_det is not None:
        node, mask = node.sum() + term.log_det, None
    (node,) = resolve([node], fixed)
    lengths = model.sizes.lengths
    counted = np.full(extents(node.shape, lengths), True)
    if mask is not None:
        leaves = {(Op.DATA, slot): array for slot, array in model.data.items()}
        counted = np.broadcast_to(evaluate([mask], leaves, lengths)[0], counted.shape)
    if isinstance(record, Variable) and record.n_missing:
        vectors = tuple(range(-event_ndim(record.dist), 0))
        counted = counted & (_places(record, model) < 0).any(axis=vectors)
    elif mask is None:
        return Expression(name, node, record.dims[: node.ndim])
    return Expression(name, node, (None,), counted)


def _places(v: Variable, model: Model) -> np.ndarray:
    assert v.missing is not None
    return model.data[v.missing.arg]
