"""Imputation: the record, the density against scipy.stats, new data, mistakes."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

import exmc_dask as ed
from exmc_dask.errors import (
    DataError,
    DiscreteError,
    DuplicateName,
    ExmcError,
    ModelError,
    OptionError,
    ShapeError,
    SupportError,
)
from exmc_dask.language.model import ModelSpec
from exmc_dask.lowering.density import lower
from exmc_dask.warned import ImputationWarning
from tests.exmc_dask.models import at, from_data, numbers

NAN = np.nan
Y = np.array([0.5, NAN, 0.7, 0.2, NAN])
MATRIX = np.array([[0.5, NAN, 0.7], [0.2, 0.4, NAN]])

pytestmark = pytest.mark.filterwarnings("ignore::exmc_dask.warned.ImputationWarning")


def normal(y: Any = Y, **options: Any) -> ed.Model:
    with ed.Model(coords={"place": list("abcde")}) as model:
        ed.Normal("y", ed.Normal("mu", 0, 1), ed.HalfNormal("s", 1), observed=y, **options)
    return model


def test_both_doors_give_one_record() -> None:
    named = (
        ed.Builder(coords={"place": list("abcde")})
        .rv("mu", ed.Normal, 0, 1)
        .rv("s", ed.HalfNormal, 1)
        .rv("base", ed.Normal, "mu", "s")
        .obs("y", "base", Y, dims="place")
        .build()
    )

    assert named.spec == normal(dims="place").spec
    assert repr(named).endswith("y  ~ Normal(mu, s)  observed, 2 imputed")
    assert ModelSpec.from_bytes(named.spec.to_bytes()) == named.spec
    assert [v.name for v in named.spec.free] == ["mu", "s", "y_unobserved"]


def test_the_record_knows_how_many_are_missing_and_not_which() -> None:
    assert normal().spec.key == normal([NAN, 3.0, NAN, 1.0]).spec.key
    assert normal().spec.key == normal(np.ma.masked_array(Y, mask=np.isnan(Y))).spec.key
    assert normal().spec.key != normal([NAN, 3.0, 2.0, 1.0]).spec.key


def test_what_is_imputed_is_said() -> None:
    with pytest.warns(
        ImputationWarning, match=r"'y': 2 of 5 .* at \[1\]; .* 'y_unobserved'"
    ) as said:
        normal()
    with pytest.warns(ImputationWarning) as named:
        ed.Builder().rv("x", ed.Normal).obs("y", "x", Y).build()

    assert said[0].filename == named[0].filename == __file__


def in_full(y: np.ndarray, imputed: np.ndarray) -> np.ndarray:
    whole = y.copy()
    whole[np.isnan(y)] = imputed
    return whole


# name: declaration, scipy's law of every entry, some values for the missing ones
SCALE = np.array([[1.0], [2.0]])
LOW = np.array([[-1.0, -2.0, 0.0], [0.0, 0.1, 0.15]])
LAWS: dict[str, tuple[Callable[[], Any], np.ndarray, Any]] = {
    "Normal": (lambda: ed.Normal("y", 1, 2, observed=Y), Y, stats.norm(1, 2)),
    "Normal, a mean each": (
        lambda: ed.Normal("y", np.arange(5.0), 2, observed=Y), Y, stats.norm(np.arange(5), 2),
    ),
    "Normal of rows": (
        lambda: ed.Normal("y", [0.0, 1.0, 2.0], SCALE, observed=MATRIX),
        MATRIX, stats.norm([0.0, 1.0, 2.0], SCALE),
    ),
    "StudentT of three axes": (
        lambda: ed.StudentT("y", 4, 0, SCALE, observed=np.stack([MATRIX, MATRIX + 1])),
        np.stack([MATRIX, MATRIX + 1]), stats.t(4, 0, SCALE),
    ),
    "Gamma": (
        lambda: ed.Gamma("y", 2, SCALE, observed=MATRIX), MATRIX, stats.gamma(2, 0, 1 / SCALE),
    ),
    "Beta": (lambda: ed.Beta("y", 2, 3, observed=Y), Y, stats.beta(2, 3)),
    "Uniform, bounds each": (
        lambda: ed.Uniform("y", LOW, 3, observed=MATRIX), MATRIX, stats.uniform(LOW, 3 - LOW),
    ),
    "TruncatedNormal, a bound each": (
        lambda: ed.TruncatedNormal("y", 0, 1, upper=np.arange(1.0, 6.0), observed=Y),
        Y, stats.truncnorm(-np.inf, np.arange(1.0, 6.0)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAWS)
def test_every_missing_entry_has_the_law_of_its_place(name: str) -> None:
    declare, y, law = LAWS[name]
    with ed.Model() as model:
        declare()
    density = lower(model.spec)
    shared = from_data(density.fold(model.data))
    entries, combined = (output.node for output in density.outputs)
    start = density.support_point(model.data)
    for q in (start, start - 0.8, start + 1.3):
        here = at(density.layout, q)
        unobserved, whole, logp = numbers([entries, combined, density.logp], here, shared)
        steps = [at(density.layout, q + step) for step in np.diag(np.full(len(q), 1e-6))]
        moved = [numbers([entries], there, shared)[0] - unobserved for there in steps]
        jacobian = np.log(np.abs(np.sum(moved, axis=0)) / 1e-6).sum()

        np.testing.assert_array_equal(whole, in_full(y, unobserved))
        assert logp == pytest.approx(law.logpdf(whole).sum() + jacobian, rel=1e-5)


def test_the_joint_density_is_that_of_all_entries() -> None:
    model = normal(weight=np.array([2.0, 9.0, 1.0, 1.0, 9.0]))
    found = model.logp({"mu": 0.1, "s": 1.2, "y_unobserved": [0.3, -0.4]})
    each = stats.norm(0.1, 1.2).logpdf(in_full(Y, np.array([0.3, -0.4])))
    prior = stats.norm.logpdf(0.1) + stats.halfnorm.logpdf(1.2)

    assert found == pytest.approx(prior + each @ [2, 1, 1, 1, 1])


def test_expressions_see_the_imputed_values() -> None:
    with ed.Model() as model:
        x = ed.Normal("x", 0, 1, observed=Y)
        ed.Deterministic("double", 2 * x)
        ed.Normal("y", 3 * x, 1, observed=np.arange(5.0))
    values = {"x_unobserved": [10.0, -10.0]}
    whole = in_full(Y, np.array([10.0, -10.0]))
    density = lower(model.spec)
    (double,) = [o.node for o in density.outputs if o.name == "double"]
    found = numbers(
        [double], at(density.layout, np.array([10.0, -10.0])), from_data(density.fold(model.data))
    )

    np.testing.assert_array_equal(found[0], 2 * whole)
    assert model.logp(values) == pytest.approx(
        stats.norm.logpdf(whole).sum() + stats.norm.logpdf(np.arange(5.0), 3 * whole).sum()
    )


def test_chains_start_at_the_mean_of_what_was_seen() -> None:
    model = normal(1e6 + Y)
    density = lower(model.spec)
    start = density.layout.unpack(density.support_point(model.data))

    np.testing.assert_allclose(start["y_unobserved"], 1e6 + np.nanmean(Y), rtol=1e-15)


def test_masked_entries_are_not_imputed() -> None:
    counts = np.ma.masked_array([1, 2, 3], mask=[False, True, False])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with ed.Model() as model:
            rate = ed.Exponential("rate", 1)
            ed.Poisson("n", rate, observed=counts, mask=[1, 0, 1])
            ed.Dirichlet("w", [1.0, 2.0], observed=[[NAN, NAN], [0.3, 0.7]], mask=[0, 1])
            ed.Normal("y", rate, 1, observed=Y, mask=ed.Data("keep", ~np.isnan(Y)))
    expected = stats.poisson(2.0).logpmf([1, 3]).sum() + stats.norm(2, 1).logpdf(Y[[0, 2, 3]]).sum()
    expected += stats.expon.logpdf(2.0) + stats.dirichlet([1, 2]).logpdf([0.3, 0.7])

    assert [v.name for v in model.spec.free] == ["rate"]
    assert model.logp({"rate": 2.0}) == pytest.approx(expected)
    with pytest.raises(DataError, match="'y': the mask lets values count that are missing"):
        model.set_data({"keep": np.full(5, True)})


def test_new_data_may_lack_other_entries() -> None:
    model = normal(dims="place")
    density = lower(model.spec)
    model.set_data({"y.observed": [NAN, 1.0, NAN, 2.0]}, coords={"place": list("wxyz")})
    values = {"mu": 0.0, "s": 1.0, "y_unobserved": [5.0, 6.0]}

    assert lower(model.spec) is density
    assert model.logp(values) == pytest.approx(
        stats.norm.logpdf([5.0, 1.0, 6.0, 2.0]).sum()
        + stats.norm.logpdf(0)
        + stats.halfnorm.logpdf(1)
    )


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"y.observed": [NAN, 1.0, 2.0, 3.0, 4.0]}, DataError, "2 missing values.*has 1 now"),
        ({"y.observed": np.arange(5.0)}, DataError, "has 0 now"),
        ({"y.missing": np.full(5, -1)}, DataError, "'y.missing' follows from 'y.observed'"),
        ({"y.observed": [NAN, 1.0, np.inf, 3.0, NAN]}, SupportError, r"\[2\] is inf"),
        ({"y.observed": [[NAN, 1.0], [2.0, NAN]]}, ShapeError, "1 axes"),
    ],
)
def test_new_data_that_are_another_model_are_refused(
    values: dict[str, Any], error: type[ModelError], words: str
) -> None:
    model = normal()
    before = model.data
    with pytest.raises(error, match=words):
        model.set_data(values)

    assert all(model.data[name] is array for name, array in before.items())


SHARES = [[0.2, NAN, 0.5], [0.1, 0.2, 0.7]]
VECTORS = [[0.2, NAN], [1.0, 2.0]]

MISTAKES: dict[str, tuple[Callable[[Any, Any], object], type[ExmcError], str]] = {
    "counts": (
        lambda m, mu: ed.Poisson("z", 3, observed=[1, NAN]),
        DiscreteError, r"'z': 1 observed values are missing, the first at \[1\].*Poisson.*mask=",
    ),
    "censored values": (
        lambda m, mu: ed.Censored("z", ed.Normal.dist(mu, 1), upper=1, observed=[1.0, NAN]),
        DiscreteError, r"Censored takes some values.*mask=",
    ),
    "parts of shares": (
        lambda m, mu: ed.Dirichlet("z", [1.0, 1, 1], observed=SHARES),
        DataError, r"Dirichlet.*bound",
    ),
    "a mean": (
        lambda m, mu: ed.Normal("z", mu, 1, observed=Y, reduce="mean"), OptionError, "reduce=",
    ),
    "no density": (
        lambda m, mu: ed.Normal("z", mu, 1, observed=Y, likelihood=False),
        OptionError, "likelihood=False",
    ),
    "weights of vectors": (
        lambda m, mu: ed.MvNormal("z", [0.0, 0.0], np.eye(2), observed=VECTORS, weight=2.0),
        OptionError, "a weight of vectors",
    ),
    "a mask of variables": (
        lambda m, mu: ed.Normal("z", 0, 1, observed=Y, mask=mu > 0), DataError, "mask must be of",
    ),
    "a mask of another shape": (
        lambda m, mu: ed.Normal("z", 0, 1, observed=Y, mask=[1, 0]), ShapeError, "'z': mask",
    ),
    "a bad value beside": (
        lambda m, mu: ed.Gamma("z", 1, 1, observed=[NAN, -1.0]), SupportError, r"\[1\] is -1",
    ),
    "dims of another length": (
        lambda m, mu: ed.Normal("z", 0, 1, observed=[NAN, -1.0], dims="place"), ShapeError, "'z'",
    ),
    "a name that is taken": (
        lambda m, mu: ed.Normal("w", 0, 1, observed=Y), DuplicateName, "'w_unobserved'",
    ),
    "everything": (
        lambda m, mu: ed.Normal("z", 0, 1, observed=[NAN, NAN]), DataError, "all observed values",
    ),
    "data": (lambda m, mu: ed.Data("z", Y), DataError, r"'z' is NaN at \[1\]; only observed="),
    "an expression": (
        lambda m, mu: m.observe("z", 2 * mu, NAN), DataError, "'z' is NaN at its value",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_cannot_be_imputed_is_named(mistake: str) -> None:
    declare, error, words = MISTAKES[mistake]
    with ed.Model(coords={"place": list("abc")}) as model:
        mu = ed.Normal("mu", 0, 1)
        ed.Normal("w_unobserved", 0, 1)
        with pytest.raises(error, match=words):
            declare(model, mu)


def test_a_later_name_may_not_be_that_of_imputed_values() -> None:
    with ed.Model():
        ed.Normal("y", 0, 1, observed=Y)
        with pytest.raises(DuplicateName, match="'y_observed'"):
            ed.Normal("y_observed", 0, 1)
