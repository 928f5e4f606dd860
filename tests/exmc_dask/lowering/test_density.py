"""A lowered model against the same model written out without any rewriting."""

import time
from functools import cache
from typing import Any

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask import math
from exmc_dask.errors import DataError, OptionError, ShapeError, SupportError, UnknownName
from exmc_dask.expressions.axes import is_static
from exmc_dask.expressions.graph import topological
from exmc_dask.expressions.ir import Node, const
from exmc_dask.expressions.ops import Op
from exmc_dask.lowering.density import LogDensity, lower
from exmc_dask.rewrite import run
from exmc_dask.rewrite.terms import write
from tests.exmc_dask.models import MODELS, Array, at, from_data, numbers

POINTS = 3


@cache
def model_of(name: str) -> ed.Model:
    return MODELS[name]()


def literal(model: ed.Model) -> tuple[Node, tuple[Node, ...]]:
    """Log density and parameters, straight from the declarations."""
    written = write(run(model.spec, ncp=False))
    return sum((node for _, node in written.terms), start=const(0.0)), written.params


def points(density: LogDensity) -> list[Array]:
    rng = np.random.default_rng(3)
    return [rng.normal(scale=0.8, size=density.layout.dim) for _ in range(POINTS)]


def values(density: LogDensity, model: ed.Model, roots: list[Node], q: Array) -> list[Array]:
    data = density.fold(model.data)
    lengths = density.axis_lengths(data)
    assert set(density.axes) == set(lengths)
    return numbers(roots, at(density.layout, q), from_data(data))


def slope(model: ed.Model, density: LogDensity, root: Node, q: Array) -> Array:
    """Central differences of sixth order."""
    h, weights = 2e-3, {1: 45.0, 2: -9.0, 3: 1.0}
    found = np.zeros(len(q))
    for i in range(len(q)):
        for step, weight in weights.items():
            for sign in (1, -1):
                moved = q.copy()
                moved[i] += sign * step * h
                (value,) = numbers([root], at(density.layout, moved), from_data(model.data))
                found[i] += sign * weight * value / (60 * h)
    return found


@pytest.mark.parametrize("name", MODELS)
def test_lowering_keeps_the_log_density_and_its_gradient(name: str) -> None:
    model = model_of(name)
    density = lower(model.spec, ncp=False)
    root, params = literal(model)
    assert [leaf.arg for leaf in params] == [entry.name for entry in density.layout.entries]
    for q in points(density):
        (expected,) = numbers([root], at(density.layout, q), from_data(model.data))
        logp, *grads = values(density, model, [density.logp, *density.grads], q)
        np.testing.assert_allclose(logp, expected, rtol=1e-10)
        assert [g.shape for g in grads] == [entry.shape for entry in density.layout.entries]
        found = np.concatenate([g.ravel() for g in grads])
        np.testing.assert_allclose(found, slope(model, density, root, q), rtol=2e-7, atol=2e-8)


@pytest.mark.parametrize("name", MODELS)
def test_terms_add_up_to_the_log_density(name: str) -> None:
    model = model_of(name)
    density = lower(model.spec, ncp=False)
    for q in points(density):
        logp, *terms = values(density, model, [density.logp, *(t for _, t in density.terms)], q)
        np.testing.assert_allclose(sum(terms), logp, rtol=1e-10)


@pytest.mark.parametrize("name", MODELS)
def test_nothing_of_the_model_is_left_in_the_graph(name: str) -> None:
    density = lower(model_of(name).spec)
    roots = [density.logp, *density.grads, *(output.node for output in density.outputs)]
    used = topological(roots)
    assert not [node for node in used if node.op is Op.VAR]
    slots = {slot.name: slot for slot in density.slots}
    for node in used:
        if node.op is Op.DATA:
            assert slots[node.arg].shape == node.shape
    assert all(is_static(leaf.shape) for leaf in used if leaf.op is Op.PARAM)


def test_outputs_are_the_users_variables_in_their_order() -> None:
    model = model_of("bounds")
    density = lower(model.spec)
    assert [o.name for o in density.outputs] == ["low", "x", "scale", "width"]
    assert [o.shape for o in density.outputs] == [(), (2,), (), ()]
    low, x, scale, width = values(
        density, model, [o.node for o in density.outputs], np.zeros(density.layout.dim)
    )
    assert low == 0.0
    assert scale == pytest.approx(np.log(2))
    np.testing.assert_allclose(x, [2.0, 2.0])
    assert width == 0.0


def test_var_names_choose_outputs() -> None:
    spec = model_of("bounds").spec
    assert [o.name for o in lower(spec, var_names=["width", "x"]).outputs] == ["x", "width"]
    with pytest.raises(UnknownName, match="'y' is neither"):
        lower(spec, var_names=["y"])


def test_a_deterministic_may_be_as_long_as_the_data() -> None:
    model = model_of("regression")
    density = lower(model.spec)
    (mu,) = [o for o in density.outputs if o.name == "mu"]
    assert mu.shape == density.axes == ("y.observed.0",)
    (value,) = values(density, model, [mu.node], np.zeros(density.layout.dim))
    assert value.shape == (30,)


def test_an_equal_model_is_lowered_once() -> None:
    spec = model_of("groups").spec
    travelled = type(spec).from_bytes(spec.to_bytes())
    assert lower(spec, ncp={"a": True}) is lower(travelled, ncp={"a": True})


@pytest.mark.parametrize("name", MODELS)
def test_the_support_point_has_finite_density(name: str) -> None:
    model = model_of(name)
    for ncp in (True, False):
        density = lower(model.spec, ncp=ncp)
        q = density.support_point(model.data)
        assert q.shape == (density.layout.dim,)
        found = values(density, model, [density.logp, *density.grads], q)
        assert all(np.isfinite(value).all() for value in found)


@pytest.mark.parametrize("ncp", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_values_and_points_are_inverse(name: str, ncp: bool) -> None:
    model = model_of(name)
    density = lower(model.spec, ncp=ncp)
    free = {v.name for v in model.spec.free}
    outputs = [o for o in density.outputs if o.name in free]
    for q in points(density):
        found = values(density, model, [o.node for o in outputs], q)
        named = {o.name: value for o, value in zip(outputs, found, strict=True)}
        np.testing.assert_allclose(density.support_point(model.data, named), q, atol=1e-8)


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("simplex", {"weights": [0.5, 0.4, 0.3]}, "the simplex"),
        ("matrix_valued", {"chol": 2.0 * np.eye(3)}, "Cholesky factors of correlations"),
        ("varying", {"chol": [1.0, 0.5, -1.0]}, "packed Cholesky factors"),
        ("zero_sums", {"rows": [1.0, -1.0, 0.5]}, "vectors that sum to 0 along the last axis"),
    ],
)
def test_values_outside_the_support_are_refused(
    name: str, values: dict[str, Any], words: str
) -> None:
    model = model_of(name)
    with pytest.raises(SupportError, match=f"'{min(values)}' is not inside its support, {words}"):
        lower(model.spec).support_point(model.data, values)


def test_values_that_do_not_fit_are_named() -> None:
    model = model_of("eight_schools")
    density = lower(model.spec)
    with pytest.raises(SupportError, match="'tau' is not inside"):
        density.support_point(model.data, {"tau": -1.0})
    with pytest.raises(ShapeError, match=r"'theta' has shape \(8,\), not \(3,\)"):
        density.support_point(model.data, {"theta": np.zeros(3)})
    with pytest.raises(UnknownName, match="'nu' is not one of"):
        density.support_point(model.data, {"nu": 1.0})


def test_data_that_do_not_fit_are_named() -> None:
    model = model_of("eight_schools")
    density = lower(model.spec)
    with pytest.raises(UnknownName, match=r"no data for 'y\.sigma'"):
        density.fold({"y.observed": model.data["y.observed"]})
    for short in ("y.observed", "y.sigma"):
        with pytest.raises(ShapeError, match=f"axis 0 of '{short}' has length 7, but the axis"):
            density.fold(model.data | {short: np.ones(7)})
    with pytest.raises(ShapeError, match=r"'y\.sigma' has 2 axes"):
        density.fold(model.data | {"y.sigma": np.ones((8, 1))})
    with pytest.raises(DataError, match=r"'y\.sigma' is complex128"):
        density.fold(model.data | {"y.sigma": np.ones(8, dtype=complex)})


@pytest.mark.parametrize("wrong", [-1, 3])
def test_an_index_outside_its_axis_is_named(wrong: int) -> None:
    model = model_of("groups")
    density = lower(model.spec)
    name = next(n for n, array in model.data.items() if array.dtype == np.int64)
    bad = model.data[name].copy()
    bad[4] = wrong
    with pytest.raises(DataError, match=f"'{name}' holds {wrong}, which is outside"):
        density.fold(model.data | {name: bad})


def test_new_lengths_need_no_new_graph() -> None:
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 1)
        x = ed.Data("x", np.arange(4.0))
        ed.Normal("y", mu * x, 1.0, observed=np.ones(4))
    density = lower(model.spec)
    before = values(density, model, [density.logp], np.ones(1))
    model.set_data({"x": np.arange(6.0), "y.observed": np.ones(6)})
    assert lower(model.spec) is density
    after = values(density, model, [density.logp], np.ones(1))
    assert after[0] - before[0] == pytest.approx(-(3**2 + 4**2) / 2 - np.log(2 * np.pi))


def test_the_length_of_an_axis_may_be_all_that_is_left_of_it() -> None:
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 1)
        ed.Deterministic("copies", mu + 0.0 * ed.Data("x", np.arange(4.0))[1:])
        ed.Deterministic("spread", math.exp(mu) + math.broadcast_to(mu, ("x.0",)))
    density = lower(model.spec)
    copies, spread = values(density, model, [o.node for o in density.outputs[1:]], np.ones(1))
    assert copies.shape == (3,)
    np.testing.assert_allclose(spread, np.full(4, 1 + np.exp(1.0)))


def test_observations_may_count_by_their_number_only() -> None:
    with ed.Model() as model:
        ed.Flat("x")
        ed.DiscreteUniform("y", 0, 9, observed=np.arange(5))
    density = lower(model.spec)
    found = values(density, model, [density.logp], np.zeros(1))

    np.testing.assert_allclose(found, -5 * np.log(10))


def test_ncp_takes_no_other_word() -> None:
    with pytest.raises(OptionError, match="not 'never'"):
        lower(model_of("groups").spec, ncp="never")


def test_a_thousand_scalars_are_lowered_in_linear_time() -> None:
    def seconds(n: int) -> float:
        builder = ed.Builder().rv("x0", ed.Normal, 0.0, 1.0)
        for i in range(1, n):
            builder.rv(f"x{i}", ed.Normal, f"x{i - 1}", 1.0)
        spec = builder.obs("y", f"x{n - 1}", np.ones(3)).build().spec
        began = time.perf_counter()
        lower(spec, ncp=False)
        return time.perf_counter() - began

    seconds(10)
    assert seconds(800) < 16 * seconds(100) + 1.0
