"""Every distribution as compiled code against NumPy: density, and derivatives of all that moves."""

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask.dist import is_movable, logcdf, logsf
from exmc_dask.kernels import compile
from exmc_dask.lowering.density import lower
from tests.exmc_dask.references.case import WHOLE, Case, params_of
from tests.exmc_dask.references.table import CASES
from tests.kernels.densities import Array, expected, scratch


def rows() -> list[object]:
    """Names of all cases; a family's first compiles at once, the others only differ a little."""
    found: set[str] = set()
    params: list[object] = []
    for name, case in CASES.items():
        family = case.dist(**case.params).family
        params.append(pytest.param(name, marks=[pytest.mark.slow] if family in found else []))
        found.add(family)
    return params


def usual(case: Case) -> Array:
    """Values whose log-densities are of a size at which a sum shows an error in each."""
    if case.values.ndim > 1:
        return case.values
    sizes = np.abs(case.logp(case.values))
    return case.values[sizes < max(100.0, np.min(sizes) * 1.01)]


def declared(case: Case) -> tuple[ed.Model, dict[str, Array]]:
    """Model in which everything real is free, and the values of all that is free."""
    dist, x = case.dist(**case.params), usual(case)
    whole = {p.name for p in params_of(dist) if p.domain in WHOLE}
    free = {k: np.asarray(v) for k, v in case.params.items() if k not in whole}
    with ed.Model() as model:
        ed.Flat("beside")  # some laws have whole parameters only
        moved = {k: ed.Flat(f"p_{k}", shape=v.shape or None) for k, v in free.items()}
        law = case.dist(**{k: moved.get(k, v) for k, v in case.params.items()})
        if not is_movable(dist):
            model.rv("x", law, observed=x)
        else:
            model.rv("x", law, shape=x.shape, transform=None)
    values = {f"p_{k}": v for k, v in free.items()} | {"x": x, "beside": np.zeros(())}
    return model, {v.name: values[v.name] for v in model.spec.free}


def check(model: ed.Model, values: dict[str, Array]) -> None:
    """Compare the compiled density of a model and its gradient with those of NumPy."""
    of = lower(model.spec, ncp=False, var_names=())
    data, kernel, q = of.fold(model.data), compile(of), of.layout.pack(values)
    bound = kernel.bind(data)
    grad, _, work = scratch(bound, kernel.dim)
    logp = kernel.logp_grad(q, grad, bound.data, bound.data32, bound.index, work)
    wanted, slope, _ = expected(of, q, data)

    assert np.isfinite(wanted)
    assert logp == pytest.approx(wanted, rel=1e-12, abs=1e-12)
    np.testing.assert_allclose(grad, slope, rtol=1e-8, atol=1e-11 * np.abs(slope).max())


@pytest.mark.parametrize("name", rows())
def test_a_compiled_distribution_gives_what_numpy_gives(name: str) -> None:
    check(*declared(CASES[name]))


LOOPS = {"Gamma", "Beta", "StudentT"}  # whose tails call functions of kernels/runtime/incomplete.py
WITH_TAILS = [
    pytest.param(name, marks=[] if name in LOOPS else [pytest.mark.slow])
    for name, case in CASES.items()
    if case.tails is not None
]


@pytest.mark.parametrize("name", WITH_TAILS)
def test_compiled_tails_give_what_numpy_gives(name: str) -> None:
    case = CASES[name]
    x = np.array([0.35, 0.8]) if case.inner is None else case.inner
    values = {f"p_{k}": np.asarray(v) for k, v in case.params.items()} | {"x": x}
    with ed.Model() as model:
        moved = {k: ed.Flat(k, shape=v.shape or None) for k, v in values.items()}
        law = case.dist(**{k: moved[f"p_{k}"] for k in case.params})
        ed.Potential("below", logcdf(law, moved["x"]))
        ed.Potential("above", logsf(law, moved["x"]))
    check(model, values)
