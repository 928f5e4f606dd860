"""The two doors of a model: what is declared, what becomes of arrays, and new data."""

import pickle

import numpy as np
import pytest
from scipy import stats

import exmc_dask as ed
from exmc_dask.errors import ModelError, ShapeError, SupportError, UnknownName
from exmc_dask.expressions.graph import leaves
from exmc_dask.expressions.ir import as_node
from exmc_dask.language.model import ModelSpec
from exmc_dask.lowering.density import lower
from exmc_dask.transforms import interval

Y = np.array([2.1, 1.8, 2.5])
X = np.arange(6.0).reshape(3, 2)


def by_context() -> ed.Model:
    with ed.Model(coords={"place": ["a", "b"]}) as model:
        x = ed.Data("x", X, dims=(None, "place"))
        mu = ed.Normal("mu", 0, 5)
        tau = ed.HalfNormal("tau", 2)
        beta = ed.Normal("beta", mu, tau, dims="place")
        eta = ed.Deterministic("eta", x @ beta)
        ed.Normal("y", eta, 2 * tau, observed=Y, weight=[1.0, 2.0, 3.0])
        ed.Potential("bump", -beta * beta)
    return model


def by_names() -> ed.Model:
    return (
        ed.Builder()
        .coords(place=["a", "b"])
        .data("x", X, dims=(None, "place"))
        .rv("mu", ed.Normal, mu=0.0, sigma=5.0)
        .rv("tau", ed.HalfNormal, sigma=2.0)
        .rv("beta", ed.Normal, "mu", "tau", dims="place")
        .det("eta", lambda x, beta: x @ beta)
        .rv("base", ed.Normal, mu="eta", sigma=lambda tau: 2 * tau)
        .obs("y", "base", Y, weight=[1.0, 2.0, 3.0])
        .potential("bump", lambda beta: -beta * beta)
        .build()
    )


def test_both_doors_give_one_record() -> None:
    one, other = by_context(), by_names()

    assert one.spec == other.spec
    assert one.spec.key == other.spec.key
    assert one.data.keys() == other.data.keys() == {"x", "y.observed", "y.weight"}


def test_observed_data_that_have_dimensions_give_them_to_the_variable() -> None:
    with ed.Model() as model:
        seen = ed.Data("seen", Y, dims="visit")
        mu = ed.Normal("mu", 0, 1)
        ed.Normal("y", mu, 1, observed=seen)

    assert model.spec["y"].dims == ("visit",)


def test_the_key_knows_neither_data_nor_their_length() -> None:
    def declared(y: list[float], sigma: float) -> str:
        with ed.Model() as model:
            ed.Normal("y", ed.Normal("mu", 0, sigma), 1, observed=y)
        return model.spec.key

    assert declared([1.0, 2.0], 5) == declared([3.0, 4.0, 5.0], 5.0)
    assert declared([1.0, 2.0], 5) != declared([1.0, 2.0], 6)


def test_arrays_become_slots_named_by_their_parameter() -> None:
    z = np.array([1.0, 2.0, 3.0])
    with ed.Model() as model:
        a = ed.Normal("a", 0, 1)
        ed.Normal("y", a * z + np.array([0.5, 0.0, 1.0]) - z, [1, 2, 3], observed=z)
        ed.Mixture("m", [0.5, 0.5], [ed.Normal.dist(z, 1), ed.Normal.dist(0, 1)], observed=Y)

    assert model.data.keys() == {"y.mu", "y.mu.2", "y.sigma", "m.w", "m.observed"}
    np.testing.assert_array_equal(model.data["y.mu"], z)


def test_an_array_used_twice_is_one_expression() -> None:
    def declared(z: object) -> str:
        with ed.Model() as model:
            a = ed.Normal("a", 0, 1)
            ed.Normal("y", z * a + z, 1, observed=Y)
        return model.spec.key

    assert declared(Y) == declared(as_node(Y))


def test_after_the_end_no_model_is_open() -> None:
    by_context()
    with pytest.raises(ModelError, match="no model is open"):
        ed.Normal("late", 0, 1)


def test_an_array_changed_in_between_is_another_slot() -> None:
    z = np.array([1.0, 2.0])
    with ed.Model() as model:
        a = ed.Normal("a", 0, 1)
        ed.Normal("y", a, 1, observed=z)
        z[0] = 5.0
        ed.Normal("w", a, 1, observed=z)

    np.testing.assert_array_equal(model.data["y.observed"], [1.0, 2.0])
    np.testing.assert_array_equal(model.data["w.observed"], [5.0, 2.0])


def test_shapes_come_from_dims_from_parameters_or_from_shape() -> None:
    with ed.Model(coords={"row": range(3), "column": range(2)}) as model:
        by_dims = ed.Normal("by_dims", 0, 1, dims=("row", "column"))
        by_data = ed.Normal("by_data", [1.0, 2.0], 1)
        by_both = ed.Normal("by_both", by_dims, 1)
        by_shape = ed.Normal("by_shape", by_data, 1, shape=(4, 2))
        weights = ed.Dirichlet("weights", [1.0, 1.0, 1.0], shape=(2, 3))
        walk = ed.GaussianRandomWalk("walk", 0, 1, dims="row")
        named = ed.Normal("named", by_data, 1, dims=("row", None))
        data = ed.Normal("data", by_data, 1, observed=np.ones((5, 2)))

    assert [v.shape for v in model.spec.free] == [
        (3, 2), (2,), (3, 2), (4, 2), (2, 3), (3,), (3, 2)
    ]  # fmt: skip
    assert (by_both.shape, by_shape.shape, weights.shape) == ((3, 2), (4, 2), (2, 3))
    assert (walk.shape, named.shape, data.shape) == (
        (3,),
        (3, 2),
        ("data.observed.0", "data.observed.1"),
    )


def test_an_observed_variable_stands_for_its_data() -> None:
    trials = np.array([3, 4, 5])
    with ed.Model() as model:
        n = ed.Poisson("n", 4, observed=trials)
        mu = ed.Normal("mu", 0, 1)
        ed.Binomial("y", n, logit_p=mu, observed=[1, 2, 3])
        ed.Normal("z", ed.math.square(mu) * n, 1, observed=Y)
        ed.Deterministic("double", 2 * n)
    known = stats.poisson(4).logpmf(trials).sum() + stats.binom(trials, 0.5).logpmf([1, 2, 3]).sum()

    assert n is model.spec["n"].node
    assert repr(model).endswith("double = 2 * n  [n.observed.0]")
    assert ModelSpec.from_bytes(model.spec.to_bytes()) == model.spec
    assert model.logp({"mu": 0.0}) == pytest.approx(
        known + stats.norm.logpdf(0) + stats.norm.logpdf(Y).sum()
    )
    (double,) = [output.node for output in lower(model.spec).outputs if output.name == "double"]
    assert leaves(double) == ["n.observed"]


def test_data_of_an_observed_variable_are_verified_where_they_are_a_parameter() -> None:
    with ed.Model() as model:
        n = ed.Poisson("n", 4, observed=[3, 4])
        ed.Binomial("y", n, 0.5, observed=[3, 2])
        with pytest.raises(SupportError, match=r"'y': \[1\] is 4, outside"):
            model.set_data({"y.observed": [1, 4], "n.observed": [3, 3]})


def test_scalars_are_constants_and_observed_scalars_are_data() -> None:
    with ed.Model() as model:
        ed.Normal("y", ed.Normal("mu", np.float64(0.5), np.int64(2)), 1, observed=3.0)

    assert model.data.keys() == {"y.observed"}
    assert repr(model).startswith("mu ~ Normal(0.5, 2)")


def test_an_expression_of_a_variable_can_be_observed() -> None:
    model = (
        ed.Builder()
        .rv("x", ed.Normal, mu=0, sigma=1, shape=3)
        .rv("b", ed.Normal, mu=0, sigma=1)
        .det("line", lambda x: 2 * x + 1)
        .obs("y", "line", Y)
        .build()
    )
    with ed.Model() as same:
        x = ed.Normal("x", 0, 1, shape=3)
        ed.Normal("b", 0, 1)
        line = ed.Deterministic("line", 2 * x + 1)
        same.observe("y", line, Y)

    assert model.spec == same.spec
    (observation,) = model.spec.observations
    assert repr(model.spec).splitlines()[2:] == ["line = 2 * x + 1  [3]", "y    = line  observed"]
    assert observation.observed.arg == "y.observed"
    assert model.logp({"b": 0.0}) == pytest.approx(
        -0.5 * np.sum(((Y - 1) / 2) ** 2) - 2 * np.log(2 * np.pi) - 3 * np.log(2)
    )


def test_a_variable_observed_twice_counts_twice() -> None:
    builder = (
        ed.Builder()
        .rv("mu", ed.Normal, mu=0, sigma=1)
        .rv("x", ed.Normal, mu="mu", sigma=1)
        .obs("first", "x", Y)
        .obs("second", "x", Y[:2], likelihood=False)
    )

    assert [v.name for v in builder.build().spec.observed] == ["first", "second"]
    with pytest.raises(ModelError, match="'x' is observed more than once"):
        builder.rv("child", ed.Normal, mu="x", sigma=1).build()


def test_new_data_may_have_another_length() -> None:
    model = by_context()
    key = model.spec.key
    model.set_data({"x": np.ones((5, 2)), "y.observed": np.ones(5), "y.weight": np.ones(5)})

    assert model.spec.key == key
    assert model.data["x"].shape == (5, 2)
    assert np.isfinite(model.logp({"mu": 0.0, "tau": 1.0, "beta": np.zeros(2)}))


def test_whole_numbers_may_stand_in_the_place_of_others() -> None:
    model = by_context()
    model.set_data({"y.observed": [1, 2, 3]})

    assert model.data["y.observed"].dtype == np.float64


def test_logp_has_no_jacobian() -> None:
    with ed.Model() as model:
        ed.HalfNormal("s", 2, transform="softplus")

    assert model.logp({"s": 1.0}) == pytest.approx(-1 / 8 + 0.5 * np.log(2 / np.pi) - np.log(2))


def test_new_coordinates_come_with_new_lengths() -> None:
    with ed.Model(coords={"obs": [1, 2, 3]}) as model:
        ed.Normal("y", ed.Normal("mu", 0, 1), 1, observed=Y, dims="obs")
        with pytest.raises(ShapeError, match="3 coordinates"):
            ed.set_data({"y.observed": Y[:2]})
    ed.set_data({"y.observed": Y[:2]}, coords={"obs": ["a", "b"]}, model=model)

    assert list(model.coords["obs"]) == ["a", "b"]


def test_data_that_do_not_fit_leave_the_model_as_it_was() -> None:
    model = by_context()
    before = model.data
    for values, error in [
        ({"x": np.ones((4, 2)), "y.observed": Y}, ShapeError),
        ({"x": np.ones((3, 3))}, ShapeError),
        ({"x": np.ones(3)}, ShapeError),
        ({"y.obs": Y}, UnknownName),
        ({"y.observed": np.array([1.0, np.inf, 2.0])}, SupportError),
        ({"y.observed": ["a", "b", "c"]}, ModelError),
        ({"y.observed": np.array([1.0, np.nan, 2.0])}, ModelError),
    ]:
        with pytest.raises(error):
            model.set_data(values)  # type: ignore[arg-type]

    assert all(model.data[name] is array for name, array in before.items())


def test_an_open_door_pickles_with_its_data() -> None:
    model = by_context()
    copy = pickle.loads(pickle.dumps(model))

    assert copy.spec == model.spec
    assert copy.logp({"mu": 0.1, "tau": 1.0, "beta": X[1]}) == model.logp(
        {"mu": 0.1, "tau": 1.0, "beta": X[1]}
    )


def test_transforms_are_chosen_by_name_or_with_bounds() -> None:
    with ed.Model() as model:
        a = ed.Normal("a", 0, 1)
        ed.HalfNormal("s", 1, transform="softplus")
        ed.Normal("b", 0, 1, transform=interval(lower=a))
        ed.Normal("c", 0, 1, transform=None)
        ed.Normal("d", 0, 1, transform=interval(upper=np.ones(3)), shape=3)
    kinds = [getattr(v.transform, "kind", v.transform) for v in model.spec.free]

    assert kinds == ["default", "log_exp_m1", "lower", None, "upper"]
    assert "d.bound" in model.data
    assert ModelSpec.from_bytes(model.spec.to_bytes()) == model.spec


def test_a_formula_of_the_user_travels() -> None:
    scale = np.array([1.0, 2.0, 3.0])
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 1)
        ed.Custom(
            "x",
            mu,
            logp=lambda value, mu: -ed.math.abs(value - mu) / scale,
            support="positive",
            draw=lambda rng, shape, mu: rng.laplace(mu, 1, shape),
            shape=3,
        )
    spec = ModelSpec.from_bytes(model.spec.to_bytes())

    assert spec == model.spec
    assert model.draws.keys() == {"x"}
    assert model.data.keys() == {"x.logp"}
    assert model.logp({"mu": 0.0, "x": scale}) == pytest.approx(-3 - 0.5 * np.log(2 * np.pi))
    assert "logp=-abs(value - mu) / x.logp" in repr(model)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, -0.5 * np.sum(Y**2) - 3 * 0.5 * np.log(2 * np.pi)),
        ({"weight": 2.0}, -np.sum(Y**2) - 3 * np.log(2 * np.pi)),
        ({"weight": [1, 0, 0]}, -0.5 * Y[0] ** 2 - 0.5 * np.log(2 * np.pi)),
        ({"mask": [True, False, True]}, -0.5 * (Y[0] ** 2 + Y[2] ** 2) - np.log(2 * np.pi)),
        ({"mask": [1, 0, 0], "reduce": "mean"}, -0.5 * Y[0] ** 2 - 0.5 * np.log(2 * np.pi)),
        ({"reduce": "mean"}, -0.5 * np.mean(Y**2) - 0.5 * np.log(2 * np.pi)),
        ({"reduce": "logsumexp"}, np.log(np.exp(-0.5 * Y**2).sum()) - 0.5 * np.log(2 * np.pi)),
        ({"likelihood": False}, 0.0),
    ],
)
def test_options_of_an_observation(options: dict[str, object], expected: float) -> None:
    with ed.Model() as model:
        ed.Normal("y", 0, 1, observed=Y, **options)
    named = ed.Builder().rv("x", ed.Normal).obs("y", "x", Y, **options).build()  # type: ignore[arg-type]

    assert model.logp({}) == pytest.approx(expected, rel=1e-14)
    assert named.spec == model.spec


def test_data_may_name_a_dimension_without_coordinates() -> None:
    with ed.Model() as model:
        x = ed.Data("x", np.ones((5, 2)), dims=("row", None))
        ed.Normal("z", x.sum(axis=1), 1, dims="row")

    assert model.spec.free[0].shape == (5,)


def test_data_that_name_one_dimension_have_one_length() -> None:
    with ed.Model():
        ed.Data("x", np.ones(5), dims="row")
        with pytest.raises(ShapeError, match="length 4 along 'row', which has 5 entries"):
            ed.Data("y", np.ones(4), dims="row")
