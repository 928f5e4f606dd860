"""What users get wrong, and the error that tells them: one row a mistake."""

import math

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask import errors
from tests.exmc_dask.mistakes import Mistake, caught, declared, named, var

Y = [1.0, 2.0, 3.0]


def reopened() -> None:
    with ed.Model() as model:
        pass
    with model:
        ed.Normal("late", 0, 1)


def late() -> None:
    with ed.Model() as model:
        pass
    model.rv("late", ed.Normal.dist(0, 1))


MISTAKES: dict[str, Mistake] = {
    "no model open": (lambda: ed.Normal("x", 0, 1), errors.ModelError, ("with ed.Model()",)),
    "declaration after the end": (late, errors.FrozenError, ("late", "closed")),
    "declaration when opened again": (reopened, errors.FrozenError, ("late", "closed")),
    "name twice": (declared(lambda m: ed.Normal("mu", 0, 1)), errors.DuplicateName, ("'mu'",)),
    "name of a dimension": (
        declared(lambda m: ed.Normal("school", 0, 1)), errors.DuplicateName, ("'school'",),
    ),
    "name of a data slot": (
        declared(lambda m: ed.Deterministic("x", var(m, "mu"))), errors.DuplicateName, ("'x'",),
    ),
    "name with a blank": (
        declared(lambda m: ed.Normal("my mu", 0, 1)), errors.ModelError, ("'my mu'", "'my_mu'"),
    ),
    "name that results use": (
        declared(lambda m: ed.Normal("chain", 0, 1)), errors.ModelError, ("'chain'",),
    ),
    "name that is no text": (
        declared(lambda m: ed.Normal(0, 1)), errors.ModelError, ("identifier",),  # type: ignore[arg-type]
    ),
    "unknown parameter": (
        declared(lambda m: ed.Normal("y", mu=0, sigm=1)),
        errors.OptionError, ("'y'", "'sigm'", "did you mean 'sigma'", "Normal takes mu, sigma"),
    ),
    "parameters that say the same": (
        declared(lambda m: ed.Normal("y", 0, 1, tau=1)), errors.OptionError,
        ("'y'", "mu, sigma, tau do not go together", "takes mu, sigma or mu, tau"),
    ),
    "half of another way": (
        declared(lambda m: ed.Gamma("y", mu=1)), errors.OptionError, ("'y'", "'sigma' is missing"),
    ),
    "a deviation that no mean allows": (
        declared(lambda m: ed.Beta("y", mu=0.5, sigma=0.6)), errors.SupportError,
        ("'y'", "alpha of Beta (from mu, sigma) must be positive", "is -0.15"),
    ),
    "starting value in the declaration": (
        declared(lambda m: ed.Normal("y", 0, 1, initval=3)),
        errors.OptionError, ("'y'", "'initval'", "initvals= of ed.sample"),
    ),
    "parameter twice": (
        declared(lambda m: ed.Normal("y", 0, mu=1)), errors.OptionError, ("'mu' is given twice",),
    ),
    "parameter missing": (
        declared(lambda m: ed.StudentT("y", mu=0)), errors.OptionError, ("'nu' is missing",),
    ),
    "too many parameters": (
        declared(lambda m: ed.Normal("y", 0, 1, 2)), errors.OptionError, ("'y'", "3 parameters"),
    ),
    "two ways at once": (
        declared(lambda m: ed.Bernoulli("y", p=0.5, logit_p=0.0, observed=[0, 1])),
        errors.OptionError, ("'y'", "exactly one of p, logit_p"),
    ),
    "negative scale": (
        declared(lambda m: ed.Normal("y", 0, -1)),
        errors.SupportError, ("'y'", "sigma", "positive"),
    ),
    "bounds that fall": (
        declared(lambda m: ed.Uniform("y", 3, 1)), errors.SupportError, ("'y'", "below upper"),
    ),
    "bounds that fall in data": (
        declared(lambda m: ed.TruncatedNormal("y", 0, 1, lower=[0.0, 2.0], upper=1)),
        errors.SupportError, ("'y'", "below upper"),
    ),
    "bounds of different lengths": (
        declared(lambda m: ed.Uniform("y", [0.0, 1.0], [2.0, 3.0, 4.0])),
        errors.ShapeError, ("'y'", "3 and 2"),
    ),
    "trials that do not fit": (
        declared(lambda m: ed.Binomial("y", [3, 3, 3], 0.5, observed=[1, 2])),
        errors.ShapeError, ("'y'", "(3,)", "(2,)"),
    ),
    "zero in data for a scale": (
        declared(lambda m: ed.Normal("y", 0, [1.0, 0.0])),
        errors.SupportError, ("'y'", "sigma", "[1] is 0"),
    ),
    "weights that do not sum to 1": (
        declared(lambda m: ed.NormalMixture("y", [0.5, 0.4], [0, 1], [1, 1])),
        errors.SupportError, ("'y'", "sum to 1"),
    ),
    "covariance that is none": (
        declared(lambda m: ed.MvNormal("y", 0, cov=np.array([[1.0, 2.0], [2.0, 1.0]]))),
        errors.SupportError, ("'y'", "positive definite"),
    ),
    "NaN as a parameter": (
        declared(lambda m: ed.Normal("y", [0.0, math.nan], 1)),
        errors.DataError, ("'y'", "mu", "NaN"),
    ),
    "NaN as a number": (
        declared(lambda m: ed.Normal("y", math.nan, 1)), errors.DataError, ("'y'", "mu", "NaN"),
    ),
    "NaN in an expression": (
        declared(lambda m: ed.Normal("y", var(m, "mu") * np.array([1, math.nan]), 1)),
        errors.DataError, ("y.mu", "NaN at [1]"),
    ),
    "NaN in data": (
        declared(lambda m: ed.Data("z", [math.nan])), errors.DataError, ("'z'", "NaN at [0]"),
    ),
    "text observed": (
        declared(lambda m: ed.Normal("y", 0, 1, observed=["a", "b"])),
        errors.DataError, ("'y'", "not numeric"),
    ),
    "ragged data": (
        declared(lambda m: ed.Data("z", [[1], [1, 2]])), errors.DataError, ("'z'", "regular"),
    ),
    "expression observed": (
        declared(lambda m: ed.Normal("y", 0, 1, observed=var(m, "mu") + 1)),
        errors.DataError, ("'y'", "no expression"),
    ),
    "infinite observation": (
        declared(lambda m: ed.Normal("y", 0, 1, observed=[1.0, np.inf])),
        errors.SupportError, ("'y'", "[1] is inf", "Normal"),
    ),
    "negative count": (
        declared(lambda m: ed.Poisson("y", 3, observed=[2, -1, 4])),
        errors.SupportError, ("'y'", "[1] is -1", "whole numbers in [0, inf)"),
    ),
    "count above the trials": (
        declared(lambda m: ed.Binomial("y", [3, 3], 0.5, observed=[1, 4])),
        errors.SupportError, ("'y'", "[1] is 4"),
    ),
    "half a success": (
        declared(lambda m: ed.Bernoulli("y", 0.5, observed=[0.5])),
        errors.SupportError, ("[0] is 0.5",),
    ),
    "shares that do not sum to 1": (
        declared(lambda m: ed.Dirichlet("y", [1.0, 1.0], observed=[0.4, 0.5])),
        errors.SupportError, ("'y'", "simplex"),
    ),
    "free discrete variable": (
        declared(lambda m: ed.Poisson("z", 3)), errors.DiscreteError, ("'z'", "ed.Mixture"),
    ),
    "free mixture of discrete ones": (
        declared(lambda m: ed.Mixture("z", [0.5, 0.5], [ed.Poisson.dist(1), ed.Poisson.dist(9)])),
        errors.DiscreteError, ("'z'",),
    ),
    "unknown dimension": (
        declared(lambda m: ed.Normal("y", 0, 1, dims="schol")),
        errors.UnknownName, ("'y'", "'schol'", "did you mean 'school'"),
    ),
    "dims of another length": (
        declared(lambda m: ed.Normal("y", 0, 1, observed=Y, dims="school")),
        errors.ShapeError, ("'y'", "3 along 'school'", "8 coordinates"),
    ),
    "data of another length than the coordinates": (
        declared(lambda m: (
            ed.Data("dose", np.zeros(8), dims="school"), m.set_data({"dose": np.zeros(3)})
        )),
        errors.ShapeError,
        ("'dose'", "3 along 'school'", "8 coordinates; set_data takes new ones as coords="),
    ),
    "dims of another rank": (
        declared(lambda m: ed.Normal("y", 0, 1, observed=[Y], dims="school")),
        errors.ShapeError, ("'y'", "(1, 3)"),
    ),
    "dims of data of another rank": (
        declared(lambda m: ed.Data("z", Y, dims=("school", None))), errors.ShapeError, ("'z'",),
    ),
    "dims of an expression of another rank": (
        declared(lambda m: ed.Deterministic("z", var(m, "mu"), dims="school")),
        errors.ShapeError, ("'z'",),
    ),
    "shape and dims differ": (
        declared(lambda m: ed.Normal("y", 0, 1, dims="school", shape=3)),
        errors.ShapeError, ("'y'", "(3,)", "(8,)"),
    ),
    "shape too small for the parameters": (
        declared(lambda m: ed.Normal("y", 0, var(m, "tau"), shape=3)),
        errors.ShapeError, ("'y'", "(8,)", "(3,)"),
    ),
    "shape that is no length": (
        declared(lambda m: ed.Normal("y", 0, 1, shape=2.5)), errors.ShapeError, ("'y'", "2.5"),
    ),
    "a path without length": (
        declared(lambda m: ed.GaussianRandomWalk("y", 0, 1)),
        errors.ShapeError, ("'y'", "shape= or dims="),
    ),
    "observations that do not fit": (
        declared(lambda m: ed.Normal("y", 0, var(m, "tau"), observed=Y)),
        errors.ShapeError, ("'y'", "(8,)", "(3,)"),
    ),
    "data that do not fit each other": (
        declared(lambda m: ed.Deterministic("z", np.ones(3) * var(m, "mu") + np.ones(4))),
        errors.ShapeError, ("'z'",),
    ),
    "index outside data": (
        declared(lambda m: ed.Deterministic("z", ed.Data("w", Y)[7])), errors.ShapeError, ("'z'",),
    ),
    "a name for a parameter": (
        declared(lambda m: ed.Normal("y", "mu", 1)),
        errors.DataError, ("'y'", "mu is the text 'mu'", "ed.Builder"),
    ),
    "a distribution for a parameter": (
        declared(lambda m: ed.Normal("y", ed.Normal.dist(0, 1), 1)),
        errors.DataError, ("'y'", "mu"),
    ),
    "a number for a distribution": (
        declared(lambda m: ed.Mixture("y", [1.0], [0.5])), errors.OptionError, ("'y'", ".dist("),
    ),
    "censored without closed form": (
        declared(lambda m: ed.Censored("y", ed.SkewNormal.dist(), upper=3, observed=[1.0, 3.0])),
        errors.OptionError, ("'y'", "SkewNormal", "Gamma"),
    ),
    "observed with a transform": (
        declared(lambda m: ed.Normal("y", 0, 1, observed=Y, transform="log")),
        errors.OptionError, ("'y'", "transform="),
    ),
    "unknown transform": (
        declared(lambda m: ed.Normal("y", 0, 1, transform="lg")),
        errors.OptionError, ("'y'", "'lg'", "softplus"),
    ),
    "weight of a free variable": (
        declared(lambda m: ed.Normal("y", 0, 1, weight=np.array([1.0, 2.0]))),
        errors.OptionError, ("'y'", "observed="),
    ),
    "weight that does not fit": (
        declared(lambda m: ed.Normal("y", 0, 1, observed=Y, weight=np.ones(4))),
        errors.ShapeError, ("'y'",),
    ),
    "unknown reduction": (
        declared(lambda m: ed.Normal("y", 0, 1, observed=Y, reduce="max")),
        errors.OptionError, ("'y'", "'max'", "logsumexp"),
    ),
    "mask of halves": (
        declared(lambda m: ed.Normal("y", 0, 1, observed=Y, mask=[0.5, 1, 1])),
        errors.DataError, ("'y'", "mask"),
    ),
    "logp with the math module": (
        declared(lambda m: ed.Custom("y", logp=lambda v: math.exp(v))),
        errors.TraceError, ("'y'", "ed.math"),
    ),
    "logp with a numpy function": (
        declared(lambda m: ed.Custom("y", logp=lambda v: np.sort(v), shape=3)),
        errors.TraceError, ("'y'", "ed.math"),
    ),
    "logp with a branch": (
        declared(lambda m: ed.Custom("y", logp=lambda v: v if v > 0 else -v)),
        errors.TraceError, ("'y'", "where"),
    ),
    "logp that returns nothing": (
        declared(lambda m: ed.Custom("y", logp=lambda v: None)), errors.TraceError, ("'y'", "None"),
    ),
    "logp with other arguments": (
        declared(lambda m: ed.Custom("y", var(m, "mu"), logp=lambda v: -v * v)),
        errors.TraceError, ("'y'", "argument"),
    ),
    "logp missing": (
        declared(lambda m: ed.Custom("y", support="real")), errors.OptionError, ("'y'", "logp="),
    ),
    "support that does not exist": (
        declared(lambda m: ed.Custom("y", logp=lambda v: v, support="circle")),
        errors.OptionError, ("'circle'", "unit_interval"),
    ),
    "a variable used as a number": (
        declared(lambda m: float(var(m, "mu"))), errors.ModelError, ("'mu'", "no value"),
    ),
    "a numpy function that is no ufunc": (
        declared(lambda m: np.sort(var(m, "tau"))), errors.ModelError, ("numpy.sort", "ed.math"),
    ),
    "an array of expressions": (
        declared(lambda m: np.array([var(m, "mu"), var(m, "mu")])),
        errors.ModelError, ("'mu'", "ed.math.stack"),
    ),
    "two expressions compared by ==": (
        declared(lambda m: ed.math.where(var(m, "mu") == var(m, "tau"), 1, 0)),
        errors.ShapeError, ("False", "a.eq(b)"),
    ),
    "a potential that is text": (
        declared(lambda m: ed.Potential("p", "mu")), errors.DataError, ("'p'", "numeric"),
    ),
    "a matrix that is no covariance": (
        declared(lambda m: ed.MvNormal("y", [0.0, 0.0], cov=[[1.0, 2.0], [2.0, 1.0]])),
        errors.SupportError, ("'y'", "cov", "positive definite, but it is not"),
    ),
    "nothing to sample": (
        lambda: ed.sample(ed.Model()), errors.ModelError, ("no free variable",),
    ),
    "sampling a builder": (
        lambda: ed.sample(ed.Builder()),  # type: ignore[call-overload]
        errors.OptionError, (".build()",),
    ),
    "a numpy function without counterpart": (
        declared(lambda m: np.cbrt(var(m, "mu"))), errors.ModelError, ("cbrt", "ed.math"),
    ),
    "unknown parent": (
        named(lambda b: b.rv("y", ed.Normal, mu="muu", sigma=1)),
        errors.UnknownName, ("'y'", "'muu'", "did you mean 'mu'"),
    ),
    "unknown argument of a function": (
        named(lambda b: b.det("y", lambda m: m + 1)), errors.UnknownName, ("'y'", "'m'"),
    ),
    "unknown target": (
        named(lambda b: b.obs("y", "x", Y)), errors.UnknownName, ("'y'", "'x'"),
    ),
    "builder: name twice": (
        named(lambda b: b.rv("mu", ed.Normal, mu=0, sigma=1)), errors.DuplicateName, ("'mu'",),
    ),
    "builder: unknown parameter": (
        named(lambda b: b.rv("y", ed.Normal, mu=0, sd=1)), errors.OptionError, ("'y'", "'sd'"),
    ),
    "builder: no distribution": (
        named(lambda b: b.rv("y", "Normal", mu=0)), errors.OptionError, ("'y'", "ed.Normal"),  # type: ignore[arg-type]
    ),
    "observing a constant": (
        named(lambda b: b.obs("y", lambda: 1.0, 2.0)), errors.ModelError, ("'y'", "free variable"),
    ),
    "set_data of an unknown slot": (
        declared(lambda m: m.set_data({"z": Y})), errors.UnknownName, ("'z'", "x"),
    ),
    "set_data along a fixed axis": (
        declared(lambda m: (ed.Data("one", [1.0]), m.set_data({"one": Y}))),
        errors.ShapeError, ("'one'", "length 1"),
    ),
    "set_data that no longer fits a free variable": (
        declared(lambda m: (ed.Normal("y", ed.Data("w", Y), 1), m.set_data({"w": [1.0, 2.0]}))),
        errors.ShapeError, ("'y'", "(3,)"),
    ),
    "logp without a value": (
        declared(lambda m: m.logp({"mu": 0.0})), errors.UnknownName, ("'tau' has no value",),
    ),
    "logp of a stranger": (
        declared(lambda m: m.logp({"mu": 0.0, "tau": np.ones(8), "z": 1.0})),
        errors.UnknownName, ("'z' is not a free variable",),
    ),
    "logp of another shape": (
        declared(lambda m: m.logp({"mu": 0.0, "tau": 1.0})), errors.ShapeError, ("'tau'", "(8,)"),
    ),
    "coordinates that are no list": (
        lambda: ed.Model(coords={"school": 8}), errors.ModelError, ("'school'", "list"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named(mistake: str) -> None:
    caught(MISTAKES[mistake])
