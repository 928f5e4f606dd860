"""A model line by line, as it was declared."""

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask.language.outline import Line, outline
from tests.exmc_dask.models import MODELS
from tests.exmc_dask.views.pictures import clinics


def test_a_model_prints_as_it_was_written() -> None:
    assert repr(clinics()).splitlines() == [
        "X     : float64  [visit, feature]  data",
        "seen  : int64  [visit]  data",
        "where : int64  [visit]  data",
        "μ     ~ Normal(0, 1)",
        "τ     ~ HalfNormal(1)",
        "α     ~ Normal(μ, τ)  [clinic]",
        "β     ~ Normal(0, 2)  [feature]",
        "end   ~ Normal(0, 1)  [2]  by ordered",
        "η     = α[where] + X @ β  [visit]",
        "y     ~ Bernoulli(logit_p=η)  observed: seen",
        "x     ~ Normal(μ, 1)  [4]",
        "t     ~ Normal(μ, t.sigma)  observed, weight 2",
        "z     = 2 * x + 1  observed",
        "pull  + -sum(where(end[0] < 0, end * end, 0))",
    ]


@pytest.mark.parametrize("name", MODELS)
def test_every_declaration_has_its_line(name: str) -> None:
    spec = MODELS[name]().spec
    names = [v.name for v in spec.variables] + [o.name for o in spec.observations]
    names += [d.name for d in spec.deterministics] + [p.name for p in spec.potentials]

    assert sorted(line.name for line in outline(spec) if line.sign != ":") == sorted(names)


def test_a_name_stands_before_its_use() -> None:
    with ed.Model() as model:
        a = ed.Normal("a", 0, 1)
        inner = ed.Deterministic("inner", 2 * a)
        ed.Deterministic("unused", a)
        outer = ed.Deterministic("outer", inner + 1)
        ed.Normal("y", outer, 1, observed=[1.0])

    assert repr(model).splitlines() == [
        "a      ~ Normal(0, 1)",
        "inner  = 2 * a",
        "outer  = inner + 1",
        "y      ~ Normal(outer, 1)  observed",
        "unused = a",
    ]


def test_how_observations_count_is_said() -> None:
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 1, transform=None)
        ed.Normal("y", mu, 1, observed=np.ones(2), mask=[True, False], reduce="mean")
        ed.Normal("z", mu, 1, observed=np.ones(2), likelihood=False)
    notes = {line.name: line.notes for line in outline(model.spec)}

    assert notes == {
        "mu": "not transformed",
        "y": "observed, mask y.mask, mean",
        "z": "observed, not in the density",
    }


def test_parts_that_are_empty_leave_no_gap() -> None:
    assert str(Line("a", "~", "Normal(0, 1)", "", "by log")) == "Normal(0, 1)  by log"
