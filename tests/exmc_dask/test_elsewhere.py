"""What PyMC's users type from memory works, or the error says what to write instead."""

import re
from operator import attrgetter

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask import elsewhere

PLACES = {
    "exmc_dask": ed,
    "exmc_dask.math": ed.math,
    "exmc_dask.gp": ed.gp,
    "exmc_dask.gp.cov": ed.gp.cov,
}


@pytest.mark.parametrize("place", elsewhere.INSTEAD)
def test_what_stands_elsewhere_is_not_here_too(place):
    with ed.Model() as model:
        variable = ed.Normal("x", 0, 1)
    here = PLACES.get(place) or {"Model": model, "variable": variable}[place]

    for name, remedy in elsewhere.INSTEAD[place].items():
        with pytest.raises(AttributeError) as raised:
            getattr(here, name)

        assert name in str(raised.value)
        assert str(raised.value).endswith(f"; {remedy}")


@pytest.mark.parametrize("place", elsewhere.INSTEAD)
def test_a_remedy_names_what_exists(place):
    remedies = " ".join(elsewhere.INSTEAD[place].values())
    for path in re.findall(r"\bed\.([\w.]*\w)", remedies):
        attrgetter(path)(ed)


@pytest.mark.parametrize("name", ["Norml", "normal", "smaple"])
def test_a_misspelt_name_is_corrected(name):
    with pytest.raises(AttributeError, match=r"did you mean '(Normal|sample)'"):
        getattr(ed, name)


@pytest.mark.parametrize("name", ["mean", "var", "max", "min", "prod", "cumsum", "cumprod"])
def test_a_method_of_arrays_is_the_function(name):
    with ed.Model():
        x = ed.Normal("x", 0, 1, shape=3)

    assert getattr(x, name)() is getattr(ed.math, name)(x)
    assert name in dir(x)


def test_dot_and_clip_are_methods_too():
    with ed.Model():
        x = ed.Normal("x", 0, 1, shape=3)

    assert x.dot(x) is ed.math.dot(x, x)
    assert x.clip(0, 1) is ed.math.clip(x, 0, 1)


@pytest.mark.parametrize(
    ("call", "remedy"),
    [
        (lambda x: np.round(x), r"numpy\.round.*floor\(x \+ 0\.5\)"),
        (lambda x: np.linalg.inv(x), r"numpy\.linalg\.inv.*solve_triangular"),
    ],
)
def test_a_function_of_numpy_is_refused_with_ours(call, remedy):
    with ed.Model():
        x = ed.Normal("x", 0, 1, shape=(2, 2))
    with pytest.raises(ed.ExmcError, match=remedy):
        call(x)


def test_a_function_of_scipy_is_refused_with_ours():
    special = pytest.importorskip("scipy.special")
    with ed.Model():
        x = ed.Normal("x", 0, 1)
    for function, ours in ((special.expit, "invlogit"), (special.gammaln, "gammaln")):
        with pytest.raises(ed.ExmcError, match=f"ed.math.{ours}"):
            function(x)


def test_a_model_gives_what_was_declared_by_name():
    with ed.Model() as model:
        data = ed.Data("d", [1.0, 2.0])
        x = ed.Normal("x", 0, 1)
        twice = ed.Deterministic("twice", 2 * x)
        y = ed.Normal("y", x * data, 1, observed=[1.0, 2.0])

        assert model["x"] is x
    assert [model[name] for name in ("d", "twice", "y")] == [data, twice, y]
    with pytest.raises(ed.ExmcError, match="no variable 'twic'; did you mean 'twice'"):
        model["twic"]


def test_help_of_a_distribution_says_where_its_options_are():
    said = str(ed.Normal.__doc__)

    assert said.startswith("Normal(mu=0, sigma=1 | tau): mean")
    assert said.endswith("those of ed.Model.rv.")
    assert "observed" in str(ed.Model.rv.__doc__)
