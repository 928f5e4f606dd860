"""What is alike is calculated as one, and nobody can tell from the numbers."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

import exmc_dask as ed
from exmc_dask import math
from exmc_dask.errors import DataError, ShapeError, UnknownName
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.grad import gradient
from exmc_dask.expressions.graph import topological
from exmc_dask.expressions.ir import Node, const, make, param
from exmc_dask.expressions.ops import FLOAT, Op
from exmc_dask.lowering.density import LogDensity, lower
from exmc_dask.rewrite import run
from exmc_dask.rewrite.forms import Forms, row_of
from exmc_dask.rewrite.lanes import Apart, Loom
from exmc_dask.rewrite.roll import MANY
from exmc_dask.rewrite.terms import write
from tests.exmc_dask.alike import ALIKE, model_of
from tests.exmc_dask.models import Array, at, from_data

model_of = cache(model_of)


def points(density: LogDensity) -> list[Array]:
    rng = np.random.default_rng(3)
    return [rng.normal(scale=0.8, size=density.layout.dim) for _ in range(3)]


def one_by_one(model: ed.Model, ncp: bool, density: LogDensity, q: Array) -> list[Array]:
    """Log density, gradient, terms and values as they were declared, at a point of `density`."""
    written = write(run(model.spec, ncp=ncp))
    root = sum((node for _, node in written.terms), start=const(0.0))
    own = {str(leaf.arg): leaf for leaf in written.params}
    params = [own[entry.name] for entry in density.variables.entries]
    roots = [root, *gradient(root, params), *(node for _, node in written.terms)]
    known = at(density.variables, q) | from_data(model.data)
    logp, *rest = evaluate([*roots, *written.values.values()], known)
    grads = np.concatenate([np.ravel(x) for x in rest[: len(params)]])
    n = len(written.terms)
    terms, values = rest[len(params) :][:n], rest[len(params) :][n:]
    return [logp, grads, np.array(terms), np.concatenate([np.ravel(x) for x in values])]


def as_one(model: ed.Model, density: LogDensity, q: Array) -> list[Array]:
    """Return the same as `density` has it."""
    slots = density.fold(model.data)
    known = at(density.layout, q) | from_data(slots)
    roots = [density.logp, *density.grads, *(node for _, node in density.terms)]
    roots += [output.node for output in density.outputs] + [node for _, node in density.stored]
    logp, *rest = evaluate(roots, known, density.axis_lengths(slots))
    n, m, k = len(density.grads), len(density.terms), len(density.outputs)
    grads, terms = rest[:n], rest[n : n + m]
    values, stored = rest[n + m : n + m + k], rest[n + m + k :]
    for output, value in zip(density.outputs, values, strict=True):
        assert len(output.shape) == value.ndim
    one, other = (np.concatenate([np.ravel(x) for x in each]) for each in (values, stored))
    np.testing.assert_array_equal(one, other)
    return [logp, np.concatenate([np.ravel(x) for x in grads]), np.array(terms), one]


def assert_same(model: ed.Model, ncp: bool) -> LogDensity:
    """Compare a model as it was declared with what it is lowered to."""
    density = lower(model.spec, ncp=ncp)
    for q in points(density):
        before, after = one_by_one(model, ncp, density, q), as_one(model, density, q)
        for wanted, found in zip(before, after, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-10)
    return density


@pytest.mark.parametrize("ncp", [False, True])
@pytest.mark.parametrize("name", ALIKE)
def test_log_density_gradient_terms_and_values_stay(name: str, ncp: bool) -> None:
    assert_same(model_of(name), ncp)


@pytest.mark.parametrize("name", ALIKE)
def test_what_is_alike_becomes_one(name: str) -> None:
    density = lower(model_of(name).spec, ncp=False)
    found = {group[0].rstrip("0123456789") for group in density.rolled}
    assert found == set(ALIKE[name][1])
    assert all(len(group) >= MANY for group in density.rolled)


@pytest.mark.parametrize("name", ALIKE)
def test_users_see_what_they_declared(name: str) -> None:
    model = model_of(name)
    density = lower(model.spec)
    free = {v.name: v.shape for v in model.spec.free}
    declared = [*free, *(d.name for d in model.spec.deterministics)]
    assert [output.name for output in density.outputs] == declared
    assert {e.name for e in density.variables.entries} == set(free)
    assert {name for name, _ in density.terms} >= set(free)
    q = points(density)[0]
    values = dict(zip(declared, split(density, model, q), strict=True))
    given = {name: values[name] for name in free}
    np.testing.assert_allclose(density.support_point(model.data, given), q, atol=1e-8)


def split(density: LogDensity, model: ed.Model, q: Array) -> list[Array]:
    slots = density.fold(model.data)
    known = at(density.layout, q) | from_data(slots)
    return evaluate([o.node for o in density.outputs], known, density.axis_lengths(slots))


@st.composite
def populations(draw: DrawFn) -> ed.Model:
    """Draw a model of many units, each of one of a few kinds, in any order."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    kinds = draw(st.lists(st.integers(0, 5), min_size=1, max_size=3))
    order = draw(st.permutations([kind for kind in kinds for _ in range(MANY)]))
    t = np.arange(3.0)
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, draw(st.sampled_from([1.0, 3.0])))
        scale = ed.HalfNormal("scale", 1)
        before: Node = mu
        for i, kind in enumerate(order):
            n = int(rng.integers(1, 4))
            y = rng.normal(size=n)
            match kind:
                case 0:
                    before = ed.Normal(f"x{i}", before, scale)
                case 1:
                    before = ed.Exponential(f"x{i}", 1.0 + i)
                    ed.Gamma(f"y{i}", 2.0, before, observed=np.abs(y) + 0.1)
                case 2:
                    x = ed.Normal(f"x{i}", mu, 1.0, shape=2)
                    ed.Normal(f"y{i}", x[rng.integers(0, 2, n)], scale, observed=y)
                case 3:
                    x = ed.Laplace(f"x{i}", mu * before, 2.0)
                    ed.Bernoulli(f"y{i}", logit_p=x + t, observed=rng.normal(size=3) > 0)
                case 4:
                    ed.Potential(f"x{i}", -0.1 * (before - 0.1 * i) ** 2)
                case _:
                    ed.Normal(f"x{i}", before + y, 1 + y**2, observed=y, weight=0.5)
    return model


@given(populations(), st.booleans())
@settings(max_examples=30, deadline=None, derandomize=True)
def test_random_populations_stay_what_they_are(model: ed.Model, ncp: bool) -> None:
    density = assert_same(model, ncp)
    assert density.rolled or ncp


def scalars(n: int) -> ed.Model:
    """Scalars of one prior with observations of their own, declared by names."""
    builder = ed.Builder().rv("mu", ed.Normal, 0.0, 5.0).rv("tau", ed.HalfNormal, 2.0)
    for i in range(n):
        builder.rv(f"x{i}", ed.Normal, "mu", "tau").rv(f"y{i}", ed.Normal, f"x{i}", 1.0)
        builder.obs(f"z{i}", f"y{i}", np.arange(1.0 + i % 3))
    return builder.build()


def test_two_hundred_scalars_of_a_builder_stay_what_they_are() -> None:
    density = assert_same(scalars(200), ncp=False)
    assert [entry.shape for entry in density.layout.entries] == [(), (), (200,)]
    assert len(density.variables.entries) == 202


def test_a_walk_of_scalars_is_a_scan_whatever_is_stored_of_it() -> None:
    with ed.Model() as model:
        x = ed.Normal("x0", 0, 1)
        for i in range(1, 200):
            x = ed.Normal(f"x{i}", x, 1.0)
        ed.Normal("y", x, 1.0, observed=np.ones(3))
    for names in (None, ["x199"]):
        density = lower(model.spec, var_names=names)
        used = topological([density.logp, *density.grads, *(node for _, node in density.stored)])
        assert sum(node.op is Op.SCAN for node in used) == 2  # forth, and back for the gradient
        assert len(used) < 120


def test_new_data_of_other_lengths_need_no_new_graph() -> None:
    model = scalars(MANY)
    density = lower(model.spec, ncp=False)
    model.set_data({"z1.observed": np.linspace(0, 1, 7), "z4.observed": np.zeros(0)})
    assert lower(model.spec, ncp=False) is density
    assert_same(model, ncp=False)


def test_data_that_do_not_fit_are_named_as_the_user_named_them() -> None:
    with ed.Model() as model:
        for i in range(MANY):
            se = np.ones(2 + i % 3)
            ed.Normal(f"y{i}", ed.Normal(f"x{i}", 0, 1), se, observed=np.zeros(2 + i % 3))
    density = lower(model.spec)
    longer = {"y3.sigma": np.ones(4), "y4.sigma": np.ones(2)}  # together as long as they were
    with pytest.raises(ShapeError, match=r"of 'y3\.(sigma|observed)'"):
        density.fold(model.data | longer)
    with pytest.raises(UnknownName, match=r"'y5\.observed'"):
        density.fold({name: x for name, x in model.data.items() if name != "y5.observed"})
    with pytest.raises(DataError, match=r"'y5\.observed' is complex"):
        density.fold(model.data | {"y5.observed": np.zeros(4, complex)})


def test_a_broken_term_is_named_among_those_it_is_like() -> None:
    with ed.Model() as model:
        for i in range(MANY):
            ed.Normal(f"y{i}", ed.Flat(f"x{i}"), 1.0, observed=np.zeros(1 + i % 2))
    density = lower(model.spec)
    q = np.zeros(density.layout.dim)
    q[density.variables["x5"].offset] = np.inf
    assert density.broken_terms(q, density.fold(model.data)) == ["y5"]


X, Y = make(Op.DATA, (), "x", ("x.0",), FLOAT), make(Op.DATA, (), "y", ("y.0",), FLOAT)
A, B = param("a", ()), param("b", ())
V, M = param("v", (5,)), param("m", (2, 5))


@pytest.mark.parametrize(
    ("left", "right", "alike"),
    [
        (A * 2.0 + B, B * 2.0 + A, True),
        (A * 2.0, A * 3.0, False),
        ((X * A).sum(), (Y * B).sum(), True),
        (X.sum() * A, V.sum() * A, False),
        (X.sum() * A, math.max(Y) * B, True),
        (A**B, B**A, True),
        (A - B, A + B, False),
        (V[1] * A, V[3] * B, True),
        (V[1], M[0, 1], False),
        (A**2.0, A**3.0, False),
        (V[1:].sum(), V[:1].sum(), False),
    ],
)
def test_expressions_of_the_same_operations_are_alike(left: Node, right: Node, alike: bool) -> None:
    forms = Forms(constants=False, arrays=True, params=lambda leaf: None)
    assert (forms(left) == forms(right)) is alike


def test_constants_and_parameters_are_alike_on_request() -> None:
    loose, exact = Forms(), Forms(constants=False)
    assert loose(A * 2.0) == loose(A * 3.0)
    assert exact(A * 2.0) != exact(A * 3.0)
    assert loose(A * 2.0) != loose(B * 2.0)
    assert loose(X.sum()) != loose(math.max(X))


def test_rows_are_seen_where_indices_are_known() -> None:
    assert row_of(V[-1]) == (V, 4)
    assert row_of(M[1]) == (M, 1)
    assert row_of(M[1, 2]) == (M.reshape(10), 7)
    assert row_of(X[3]) == (X, 3)
    assert row_of(X[-1]) is None
    assert row_of(V[1:2]) is None
    assert row_of(V) is None


def test_neighbours_are_picked_by_a_slice_and_others_by_an_index() -> None:
    loom = Loom()
    assert loom.pick(V, range(5)) is V
    assert loom.pick(V, [1, 3]) is V[1:4:2]
    assert loom.pick(V, [3, 1]).op is Op.GATHER
    assert loom.pick(V, [2, 2]).op is Op.GATHER


def test_what_cannot_be_joined_leaves_nothing_behind() -> None:
    loom = Loom()
    lanes = [(param(f"p{i}", (3, 3)) @ param(f"q{i}", (3, 3))).sum() for i in range(3)]
    kept = loom.join((A * X.sum(), B * Y.sum()))
    before = dict(loom.slots)
    with pytest.raises(Apart):
        loom.join(tuple(lanes))
    assert loom.slots == before
    assert loom.join((A * X.sum(), B * Y.sum())) is kept
