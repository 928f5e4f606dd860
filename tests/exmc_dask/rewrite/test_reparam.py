"""Off centre: the same posterior in other coordinates, for the variables that gain by it."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from strategies import models

import exmc_dask as ed
from exmc_dask import math
from exmc_dask.errors import OptionError
from exmc_dask.expressions.ir import Node
from exmc_dask.lowering.density import lower
from exmc_dask.rewrite import run
from exmc_dask.rewrite.draft import Draft
from exmc_dask.rewrite.reparam import Choice
from tests.exmc_dask.models import MODELS, at, from_data, numbers


def off_centre(draft: Draft) -> set[str]:
    return {free.name for free in draft.free if free.affine is not None}


def equal_densities(model: ed.Model, ncp: Choice) -> None:
    """Both densities agree where both stand for the same values, log |dx/dz| added."""
    centred, other = lower(model.spec, ncp=False), lower(model.spec, ncp=ncp)
    moved = [free for free in run(model.spec, ncp).free if free.affine is not None]
    rng = np.random.default_rng(8)
    for _ in range(3):
        q = rng.normal(scale=0.7, size=centred.layout.dim)
        folded = centred.fold(model.data)
        free = {v.name for v in model.spec.free}
        outputs = [o for o in centred.outputs if o.name in free]
        logp, *found = numbers(
            [centred.logp, *(o.node for o in outputs)], at(centred.layout, q), from_data(folded)
        )
        values = {o.name: value for o, value in zip(outputs, found, strict=True)}
        z = other.support_point(model.data, values)
        jacobian = 0.0
        for variable in moved:
            assert variable.affine is not None
            leaves = {v.node: values[v.name] for v in model.spec.free}
            data = {k: v for k, v in from_data(model.data).items()}
            (scale,) = numbers([variable.affine[1]], leaves, data)  # type: ignore[arg-type]
            share = other.layout[variable.name].size / scale.size  # of elements that are free
            jacobian += share * float(np.log(scale).sum())
        (found_logp,) = numbers(
            [other.logp], at(other.layout, z), from_data(other.fold(model.data))
        )
        np.testing.assert_allclose(found_logp - jacobian, logp, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_off_centre_is_the_same_posterior(name: str) -> None:
    equal_densities(MODELS[name](), True)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(models())
def test_random_models_keep_their_posterior(model: ed.Model) -> None:
    equal_densities(model, True)


def declared(children: Callable[[Node], object], shape: int | None = 3) -> ed.Model:
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 1)
        tau = ed.HalfNormal("tau", 1)
        children(ed.Normal("x", mu, tau, shape=shape))
    return model


def observed_twice(x: Node) -> None:
    ed.Normal("y", x, 1.0, observed=np.zeros(3))
    ed.Poisson("z", math.exp(x), observed=np.ones(3))


def observed_in_parts(x: Node) -> None:
    ed.Normal("y", x[:1], 1.0, observed=np.zeros(1))
    ed.Normal("z", x[1:], 1.0, observed=np.zeros(2))


def observed_with_a_child(x: Node) -> None:
    ed.Normal("y", x, 1.0, observed=np.zeros(3))
    ed.Normal("child", x, 1.0)


PLACES = np.array([0, 0, 1, 1, 2, 2])
CASES: dict[str, tuple[Callable[[Node], object], int | None, bool]] = {
    "no data": (lambda x: None, 3, True),
    "one observation each": (lambda x: ed.Normal("y", x, 1.0, observed=np.zeros(3)), 3, True),
    "one through a function": (
        lambda x: ed.Poisson("y", math.exp(0.5 * x), observed=np.ones(3)),
        3,
        True,
    ),
    "one for each of two likelihoods": (observed_twice, 3, False),
    "one for each in two parts": (observed_in_parts, 3, True),
    "one observation and one child": (observed_with_a_child, 3, True),
    "many a group": (lambda x: ed.Normal("y", x[PLACES], 1.0, observed=np.zeros(6)), 3, False),
    "coefficients": (
        lambda x: ed.Normal("y", np.ones((6, 3)) @ x, 1.0, observed=np.zeros(6)),
        3,
        False,
    ),
    "many of a scalar": (lambda x: ed.Normal("y", x, 1.0, observed=np.zeros(6)), None, False),
    "many children": (lambda x: ed.Normal("child", x, 1.0, shape=6), None, False),
    "one child each": (lambda x: ed.Normal("child", x, 1.0), 3, True),
    "rows of a table": (
        lambda x: ed.Normal("y", x.reshape(3, 1), 1.0, observed=np.zeros((3, 5))),
        3,
        False,
    ),
    "a matrix for many vectors": (
        lambda x: ed.MvNormal("y", chol=x.reshape(2, 2), observed=np.zeros((6, 2))),
        4,
        False,
    ),
    "components of a mixture": (
        lambda x: ed.NormalMixture("y", [0.2, 0.3, 0.5], x, np.ones(3), observed=np.zeros(6)),
        3,
        False,
    ),
    "components along an axis": (
        lambda x: ed.Mixture("y", [0.2, 0.3, 0.5], ed.Normal.dist(x, 1), observed=np.zeros(6)),
        3,
        False,
    ),
    "a potential": (lambda x: ed.Potential("p", -(x[PLACES] ** 2)), 3, False),
}


@pytest.mark.parametrize("name", CASES)
def test_auto_goes_by_how_often_an_element_is_read(name: str) -> None:
    children, shape, expected = CASES[name]
    assert ("x" in off_centre(run(declared(children, shape).spec, "auto"))) is expected


@pytest.mark.parametrize(
    ("ncp", "expected"),
    [
        (True, {"x"}),
        (False, set()),
        ({"x": True}, {"x"}),
        ({"x": False}, set()),
        ({}, {"x"}),
    ],
)
def test_the_user_has_the_last_word(ncp: bool | Mapping[str, bool], expected: set[str]) -> None:
    assert off_centre(run(declared(lambda x: None).spec, ncp)) == expected


@pytest.mark.parametrize("ncp", [{"mu": True}, {"nobody": False}])
def test_a_variable_that_cannot_be_moved_is_named(ncp: Mapping[str, bool]) -> None:
    with pytest.raises(OptionError, match=r"cannot be non-centred; candidates are x"):
        run(declared(lambda x: None).spec, ncp)


def test_only_location_scale_without_a_curved_transform_is_eligible() -> None:
    with ed.Model() as model:
        tau = ed.HalfNormal("tau", 1)
        ed.Normal("funnel", 0, math.exp(tau))
        ed.StudentT("heavy", 3, tau, 1.0, shape=2)
        ed.Normal("precise", 0, tau=tau)
        ed.HalfNormal("half", tau)
        ed.Normal("ordered", 0, tau, shape=2, transform="ordered")
        ed.Normal("fixed", 1.0, 2.0)
        ed.ZeroSumNormal("effects", tau, shape=3)
    assert off_centre(run(model.spec, True)) == {"funnel", "heavy", "precise", "effects"}
