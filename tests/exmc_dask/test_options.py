"""What callers pass: the model wherever it stands, seeds, names, options that do not exist."""

from typing import Any

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask.errors import ModelError, OptionError
from exmc_dask.options import (
    model_and_counts,
    model_of,
    names_of,
    refuse,
    seed_of,
    trace_and_model,
)

MODEL = ed.Model()


def function(*first: Any, draws: int = 5, random_seed: int = 1, **unknown: Any) -> None:
    refuse(function, unknown, {"samples": "it is called draws"})


def test_the_model_may_stand_anywhere() -> None:
    counts = ("draws", "tune")

    assert model_and_counts("f", (MODEL, 3), None, counts) == (MODEL, (3,))
    assert model_and_counts("f", (3, np.int64(4)), MODEL, counts) == (MODEL, (3, 4))
    assert trace_and_model("f", "trace", MODEL) == ("trace", MODEL)
    assert trace_and_model("f", MODEL, "trace") == ("trace", MODEL)
    with MODEL:
        assert model_of("f") is MODEL
        assert trace_and_model("f", "trace", None) == ("trace", MODEL)


@pytest.mark.parametrize(
    ("first", "model", "error", "words"),
    [
        ((), None, ModelError, r"with ed\.Model"),
        ((MODEL,), MODEL, OptionError, "two models"),
        ((ed.Builder(),), None, OptionError, r"\.build\(\)"),
        ((), ed.Builder(), OptionError, r"\.build\(\)"),
        ((1, 2, 3), MODEL, OptionError, "at most draws, tune by place"),
        (("mu",), MODEL, OptionError, "by place"),
        ((), 3, OptionError, "model=3"),
    ],
)
def test_what_is_no_model_is_named(first: Any, model: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        model_and_counts("f", first, model, ("draws", "tune"))


@pytest.mark.parametrize("seed", [0, 3, np.int64(7), 2**63 - 1])
def test_whole_numbers_are_seeds(seed: Any) -> None:
    assert seed_of(seed) == seed


@pytest.mark.parametrize("seed", [-1, 2**63, 0.5, True, "1", np.random.default_rng(1)])
def test_nothing_else_is(seed: Any) -> None:
    with pytest.raises(OptionError, match="random_seed="):
        seed_of(seed)


def test_a_fresh_seed_is_another_each_time() -> None:
    assert seed_of(None) != seed_of(None)


def test_names_are_one_or_several() -> None:
    assert names_of("var_names", None) is None
    assert names_of("var_names", "mu") == ("mu",)
    assert names_of("var_names", ["mu", "tau", "mu"]) == ("mu", "tau")
    for given in ([1], []):
        with pytest.raises(OptionError, match="var_names="):
            names_of("var_names", given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("samples", "function has no option 'samples': it is called draws"),
        ("drawz", "did you mean 'draws'"),
        ("xyz", "there are draws, random_seed"),
    ],
)
def test_options_that_do_not_exist_are_named(option: str, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        function(**{option: 1})
