"""Processes approximated by basis functions: they come close to the exact ones."""

from typing import Any

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask.errors import ModelError, OptionError, ShapeError
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.graph import topological
from exmc_dask.expressions.ops import Op
from exmc_dask.gp import approx_hsgp_hyperparams, cov
from exmc_dask.gp.basis import Box
from exmc_dask.lowering.density import lower
from exmc_dask.rewrite.simplify import simplify
from tests.exmc_dask.slopes import inline

X1 = np.linspace(-1, 3, 15)
X2 = np.random.default_rng(7).uniform(0, 2, size=(12, 2))


def values(model: ed.Model, nodes: Any, **point: Any) -> list[Any]:
    leaves: dict[Any, Any] = {(Op.DATA, key): array for key, array in model.data.items()}
    leaves |= {(Op.VAR, key): value for key, value in point.items()}
    for node in nodes:
        leaves |= inline(node)
    return evaluate(list(nodes), leaves, model.lengths)


CASES = {
    "ExpQuad": (X1, lambda ls: 1.5 * cov.ExpQuad(1, ls=ls), [40], 2e-6),
    "Matern52": (X1, lambda ls: 1.5 * cov.Matern52(1, ls=ls), [200], 2e-4),
    "Matern32": (X1, lambda ls: 1.5 * cov.Matern32(1, ls=ls), [400], 3e-3),
    "sum": (X1, lambda ls: cov.ExpQuad(1, ls=ls) + 0.5 * cov.ExpQuad(1, ls=2 * ls), [40], 2e-4),
    "two columns": (X2, lambda ls: cov.ExpQuad(2, ls=ls * np.array([1.0, 1.5])), [20, 18], 1e-4),
}


@pytest.mark.parametrize("name", CASES)
def test_the_covariance_comes_close_to_the_exact_one(name: str) -> None:
    X, make, m, tolerance = CASES[name]
    with ed.Model() as model:
        k = make(ed.Gamma("ls", 2, 1))
        process = ed.gp.HSGP(m, c=4.0, cov_func=k)
        phi, sqrt_psd = process.prior_linearized(X)
        exact = model.claim("exact", "X", k(X))
    phi, sqrt_psd, expected = values(model, [phi, sqrt_psd, exact], ls=0.7)

    assert phi.shape == (len(X), np.prod(m))
    np.testing.assert_allclose((phi * sqrt_psd**2) @ phi.T, expected, atol=tolerance)


def test_eigenfunctions_are_those_of_the_paper() -> None:
    L, m = 3.0, 4
    with ed.Model() as model:
        phi, _ = ed.gp.HSGP([m], L=[L], cov_func=cov.ExpQuad(1, ls=1.0)).prior_linearized(X1)
    (found,) = values(model, [phi])
    j, x = np.arange(1, m + 1), X1 - 1.0

    expected = np.sqrt(1 / L) * np.sin(np.pi * j * (x[:, None] + L) / (2 * L))
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-14)


def test_frequencies_are_all_combinations_after_any_rounding() -> None:
    with ed.Model() as model:
        reach = model.claim("f", "reach", np.array([np.pi / 2, np.pi / 2]))
    box = Box(reach, reach, (3, 49))
    (found,) = values(model, simplify([box.frequencies]))

    np.testing.assert_allclose(found, [(i, j) for i in range(1, 4) for j in range(1, 50)])


def build(**options: Any) -> tuple[ed.Model, ed.gp.HSGP]:
    with ed.Model() as model:
        eta = ed.HalfNormal("eta", 1)
        process = ed.gp.HSGP(
            [6],
            c=2.0,
            mean_func=ed.gp.mean.Constant(0.3),
            cov_func=eta**2 * cov.ExpQuad(1, ls=0.8),
            **options,
        )
        f = process.prior("f", ed.Data("x", X1))
        ed.Normal("y", f, 1.0, observed=np.ones(15))
        process.conditional("later", X1[3:5] + 0.05)
    return model, process


@pytest.mark.parametrize("drop_first", [False, True])
@pytest.mark.parametrize("parametrization", ["noncentered", "centered"])
def test_values_are_basis_functions_times_coefficients(
    drop_first: bool, parametrization: str
) -> None:
    model, _ = build(drop_first=drop_first, parametrization=parametrization)
    f, later = (d.node for d in model.spec.deterministics)
    beta = np.linspace(-1, 1, 6 - drop_first)
    found, new = values(model, [f, later], eta=0.7, f_hsgp_coeffs=beta)
    j, x, reach = np.arange(1, 7), X1 - 1.0, 4.0

    omega = np.pi * j / (2 * reach)
    psd = 0.49 * 0.8 * np.sqrt(2 * np.pi) * np.exp(-((0.8 * omega) ** 2) / 2)
    weights = beta * (np.sqrt(psd)[drop_first:] if parametrization == "noncentered" else 1.0)

    def basis(x: Any) -> Any:
        return (np.sin(omega * (x[:, None] + reach)) / np.sqrt(reach))[:, drop_first:]

    names = ["f.middle", "f.reach", "later.Xnew", "x", "y.observed"]
    assert [slot.name for slot in model.spec.slots] == names
    np.testing.assert_allclose(found, 0.3 + basis(x) @ weights, rtol=1e-10)
    np.testing.assert_allclose(new, 0.3 + basis(x[3:5] + 0.05) @ weights, rtol=1e-10)


def test_the_basis_is_calculated_once() -> None:
    model, _ = build()
    density = lower(model.spec)
    used = topological([density.logp, *density.grads, *(o.node for o in density.outputs)])

    assert not [node for node in used if node.op is Op.SIN]
    assert "= sin((x" in model.explain()


def test_the_box_stays_where_the_first_places_put_it() -> None:
    model, _ = build()
    before = values(model, [model.spec.deterministics[0].node], eta=1.0, f_hsgp_coeffs=np.ones(6))
    model.set_data({"x": X1[:4], "y.observed": np.ones(4)})
    after = values(model, [model.spec.deterministics[0].node], eta=1.0, f_hsgp_coeffs=np.ones(6))

    np.testing.assert_allclose(after[0], before[0][:4], rtol=1e-14)


def test_later_places_share_the_box_of_the_first() -> None:
    with ed.Model() as model:
        process = ed.gp.HSGP([5], c=2.0, cov_func=cov.ExpQuad(1, ls=1.0))
        (first, _), (later, _) = (process.prior_linearized(x) for x in (X1, X1[2:6].copy()))
    first, later = values(model, [first, later])

    np.testing.assert_allclose(later, first[2:6], rtol=1e-14)


@pytest.mark.parametrize(
    ("function", "expected"),
    [("expquad", (42, 1.2)), ("Matern52", (64, 1.2)), ("matern32", (83, 1.2))],
)
def test_rules_of_thumb_are_those_of_the_paper(function: str, expected: tuple[int, float]) -> None:
    assert approx_hsgp_hyperparams((0, 20), (0.5, 1), function) == expected
    assert approx_hsgp_hyperparams((0, 2), (0.5, 1), "expquad") == (12, 3.2)


def test_mistakes_are_named() -> None:
    k = cov.ExpQuad(1, ls=1.0)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"m": 5, "c": 2.0}, r"m=5 has to be a list"),
        ({"m": [5]}, "give either L or c"),
        ({"m": [5], "c": 2.0, "L": [1.0]}, "give either L or c"),
        ({"m": [5, 5], "L": [1.0]}, "a number for each of 2 columns"),
        ({"m": [5], "c": 0.9}, "c=0.9 has to be above 1"),
        ({"m": [5], "c": 2.0, "parametrization": "mixed"}, "noncentered or centered"),
    ]
    for options, message in wrong:
        with pytest.raises(OptionError, match=message):
            ed.gp.HSGP(cov_func=k, **options)
    with ed.Model():
        with pytest.raises(OptionError, match="the box reaches"):
            ed.gp.HSGP([5], L=[1.0], cov_func=k).prior("f", X1)
        with pytest.raises(OptionError, match="m has 2 numbers, but X has 1 column"):
            ed.gp.HSGP([5, 5], c=2.0, cov_func=k).prior("g", X1)
        with pytest.raises(ShapeError, match="has input_dim=1, but frequencies have 2"):
            ed.gp.HSGP([5, 5], c=2.0, cov_func=k).prior("two", X2)
        with pytest.raises(ModelError, match="depend on data only"):
            ed.gp.HSGP([5], c=2.0, cov_func=k).prior("h", X1 * ed.Normal("a", 0, 1))
        with pytest.raises(ModelError, match="call its prior first"):
            ed.gp.HSGP([5], c=2.0, cov_func=k).conditional("i", X1)
    with pytest.raises(OptionError, match="cov_func='cosine' is none of expquad"):
        approx_hsgp_hyperparams((0, 1), (1, 2), "cosine")
    with pytest.raises(OptionError, match="have to rise"):
        approx_hsgp_hyperparams((0, 1), (2, 1), "expquad")


@pytest.mark.parametrize("drop_first", [False, True])
def test_it_says_how_many_coefficients_it_has(drop_first: bool) -> None:
    process = ed.gp.HSGP(
        [4, 3], c=1.5, drop_first=drop_first, cov_func=ed.gp.cov.ExpQuad(2, ls=1.0)
    )
    with ed.Model():
        phi, _ = process.prior_linearized(np.random.default_rng(1).normal(size=(5, 2)))

    assert process.n_basis_vectors == phi.shape[-1]
