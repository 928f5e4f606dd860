"""What is said of how a model is sampled."""

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask.errors import ModelError, OptionError
from exmc_dask.expressions.axes import static_size
from exmc_dask.lowering.density import lower
from exmc_dask.rewrite import run
from exmc_dask.views.sampled import sampled
from tests.exmc_dask.models import MODELS
from tests.exmc_dask.views.pictures import clinics


def sections(said: str) -> dict[str, list[str]]:
    """Lines below each title; of the last title without the number of operations."""
    found: dict[str, list[str]] = {}
    for line in said.splitlines():
        if line.startswith("  "):
            found[next(reversed(found))].append(line[2:])
        else:
            found[line.split(";")[0]] = []
    return found


def test_each_pass_says_what_it_changed() -> None:
    said = sections(clinics().explain())

    assert said["declared"] == repr(clinics()).splitlines()
    assert said["measurable"] == ["(z.observed - 1) / 2 ~ Normal(μ, 1)  log Jacobian -log(abs(2))"]
    assert said["constrain"] == ["τ ~ HalfNormal(1) by log"]
    assert "reparam: nothing" in said
    assert {"2 = X.1", "where.0 = seen.0"} <= set(said["unify"])
    assert "fold.1 = sum(-log(t.sigma) - 0.918939)" in said["fold"]


def test_what_is_sampled_is_counted() -> None:
    assert sections(clinics().explain(ncp={"α": True}))["sampled: 9 numbers"] == [
        "μ   1  Normal(0, 1)",
        "τ   1  HalfNormal(1) by log",
        "α   3  μ + τ * Normal(0, 1)",
        "β   2  Normal(0, 2)",
        "end 2  Normal(0, 1) by ordered",
        "x      = (z.observed - 1) / 2",
        "y      seen ~ Bernoulli(logit_p=α[where] + X @ β)",
        "t      t.observed ~ Normal(μ, t.sigma)  weight 2",
        "z      (z.observed - 1) / 2 ~ Normal(μ, 1)  log Jacobian -log(abs(2))",
    ]


def test_a_sum_in_front_of_a_law_is_bracketed() -> None:
    with ed.Model() as model:
        a = ed.Normal("a", 0, 1)
        ed.Normal("x", a - 1, a + 2)

    assert "a - 1 + (a + 2) * Normal(0, 1)" in model.explain(ncp=True)


@pytest.mark.parametrize("name", MODELS)
def test_numbers_add_up_to_the_unconstrained_vector(name: str) -> None:
    spec = MODELS[name]().spec
    rows = list(sampled(run(spec)))

    assert sum(row.numbers for row in rows) == lower(spec).layout.dim
    assert sum(static_size(free.unconstrained) for free in run(spec).free) == lower(spec).layout.dim


def test_what_is_calculated_together_is_named() -> None:
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 1)
        for i in range(12):
            ed.Normal(f"y{i}", ed.Normal(f"x{i}", mu, 1.0), 1.0, observed=np.ones(1 + i % 3))

    said = sections(model.explain())
    assert said["roll"] == ["12 alike: x0, x1, ..., x11", "12 alike: y0, y1, ..., y11"]
    assert "x11 1  Normal(mu, 1)" in said["sampled: 13 numbers"]


def test_what_follows_from_each_other_is_named() -> None:
    with ed.Model() as model:
        x = ed.Normal("x0", 0, 1)
        for i in range(1, 12):
            x = ed.Normal(f"x{i}", x, 1.0)

    said = sections(model.explain())
    assert said["roll"] == ["12 alike: x0, x1, ..., x11", "10 in a row: x2, x3, ..., x11"]


def test_a_prompt_shows_lines_and_not_a_quoted_string() -> None:
    said = clinics().explain()

    assert repr(said) == said
    assert len(repr(said).splitlines()) > 20


def test_what_cannot_be_sampled_is_an_error() -> None:
    with ed.Model() as model:
        x, y = ed.Normal("x", 0, 1, shape=2), ed.Normal("y", 0, 1, shape=2)
        model.observe("both", x * y, np.ones(2))
    with pytest.raises(ModelError, match="'both' observes"):
        model.explain()
    with pytest.raises(OptionError, match="not 'never'"):
        clinics().explain(ncp="never")
