"""A function that is cut into parts does what it did, and no part is long."""

import numpy as np
import pytest
from hypothesis import given, settings

import exmc_dask as ed
from exmc_dask import math
from exmc_dask.kernels import compile
from exmc_dask.kernels.codegen import parts
from exmc_dask.kernels.codegen.program import write
from exmc_dask.lowering.density import LogDensity, lower
from tests.kernels.densities import Data, expected, graphs, scratch
from tests.kernels.interpreter import assert_agrees


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut everything into parts of a few lines."""
    monkeypatch.setattr(parts, "LONG", 8)
    monkeypatch.setattr(parts, "LENGTH", 4)


def terms(n: int) -> ed.Model:
    """Model of `n` terms of which no two are alike."""
    rng = np.random.default_rng(1)
    kinds = [ed.Normal, ed.Cauchy, ed.Laplace, ed.Logistic, ed.Gumbel]
    with ed.Model() as model:
        x = mean = ed.Normal("x", 0, 1)
        for i in range(n):
            if i % len(kinds) == 0:
                mean = math.tanh(mean + x)
            kinds[i % len(kinds)](f"y{i}", mean, 1.0, observed=rng.normal(size=3))
    return model


def test_names_are_read_if_they_are_read_before_they_are_made() -> None:
    (one,) = parts.statements(
        ["# sums", "for i in range(n):", "    d = x[i] - m", "    s += d", "    out[i] = d"]
    )
    assert one.reads == {"range", "n", "x", "m", "s", "out"}
    assert one.makes == {"i", "d", "s"}
    first, second = parts.statements(["s = accumulate(s, 1.0)", "view_x = view(q, 3)"])
    assert first.reads == {"accumulate", "s"}
    assert second.is_read_only
    assert not first.is_read_only


def test_parts_are_given_scalars_and_read_arrays_themselves(short: None) -> None:
    lines = [
        "n = index[0]",
        "x = view(data, 4)",
        "a = q[0]",
        "s = 0.0",
        "for i in range(n):",
        "    s += x[i] * a",
        "t = s * a",
        "for i in range(n):",
        "    s += x[i] - t",
        "u = exp(s)",
        "return u + s + t + n",
    ]
    (first, second), rest = parts.divide(lines)
    assert (first.given, first.returned) == ([], ["s", "t"])
    assert (second.given, second.returned) == (["s", "t"], ["s", "u"])
    assert first.body[:3] == ["a = q[0]", "n = index[0]", "x = view(data, 4)"]
    assert rest == ["n = index[0]", "return u + s + t + n"]


@given(graphs())
@settings(max_examples=25, deadline=None, derandomize=True)
def test_random_graphs_in_parts_give_what_numpy_gives(drawn: tuple[LogDensity, Data]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "LONG", 8)
        patch.setattr(parts, "LENGTH", 4)
        assert_agrees(*drawn)


def test_no_part_is_long() -> None:
    source = write(lower(terms(60).spec)).source
    functions = source.split("\ndef ")[1:]
    assert len(functions) > 8
    assert max(len(text.splitlines()) for text in functions) < parts.LONG
    code = [line for line in source.splitlines() if "#" not in line]
    assert max(map(len, code)) <= 100


def test_text_grows_with_the_number_of_terms() -> None:
    few, many = (len(write(lower(terms(n).spec)).source) for n in (50, 100))
    assert many < 2.2 * few


def test_compiled_parts_give_what_numpy_gives(short: None) -> None:
    model = terms(6)
    of = lower(model.spec)
    data, kernel = of.fold(model.data), compile(of)
    assert kernel.source.count("def logp_grad_") > 4
    bound, q = kernel.bind(data), np.full(1, 0.3)
    grad, out, work = scratch(bound, 1)
    logp = kernel.logp_grad(q, grad, bound.data, bound.data32, bound.index, work)
    kernel.expand(q, out, bound.data, bound.data32, bound.index, work)
    wanted = expected(of, q, data)
    np.testing.assert_allclose(np.hstack([logp, grad, out]), np.hstack(wanted), rtol=1e-12)
