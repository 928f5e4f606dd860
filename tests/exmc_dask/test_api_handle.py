"""sample(blocking=False) and sample_stream(): the handle over real models, options, Ctrl-C."""

import os
import signal
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask.errors import OptionError, UnknownName

QUIET: dict[str, Any] = {
    "progressbar": False,
    "compute_convergence_checks": False,
    "cluster": "threads",
    "random_seed": 3,
}
SHORT: dict[str, Any] = {"draws": 60, "tune": 50, "chains": 2, **QUIET}


@pytest.fixture(scope="module")
def model() -> ed.Model:
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 5)
        theta = ed.Normal("theta", mu, 1.0, shape=3)
        ed.Normal("y", theta, 1.0, observed=ed.Data("seen", [0.3, 1.2, -0.4]))
    return model


def same(one: Any, other: Any) -> None:
    for group in ("posterior", "sample_stats", "observed_data"):
        for name, values in one[group].data_vars.items():
            if name != "worker":
                np.testing.assert_array_equal(values, other[group][name], err_msg=str(name))


@pytest.mark.parametrize(
    "options",
    [{}, {"thin": 4}, {"metric": "dense"}, {"metric": "low_rank"}, {"adapt": "stan"}],
    ids=str,
)
def test_extending_is_asking_for_more_at_once(model: ed.Model, options: dict[str, Any]) -> None:
    run = ed.sample(model, **SHORT | options | {"draws": 21}, blocking=False)
    run.extend(9)
    run.wait()
    run.extend(30)

    same(run.wait(), ed.sample(model, **SHORT | options))


@pytest.mark.parametrize("thin", [1, 4])
def test_a_stream_says_what_the_result_says(model: ed.Model, thin: int) -> None:
    told: defaultdict[int, list[ed.Draw]] = defaultdict(list)
    trace = ed.sample_stream(model, lambda d: told[d.chain].append(d), thin=thin, **SHORT)

    for chain, draws in told.items():
        assert [d.draw for d in draws] == trace.posterior.draw.values.tolist()
        assert [d.point["mu"] for d in draws] == trace.posterior["mu"].values[chain].tolist()
        np.testing.assert_array_equal(
            [d.point["theta"] for d in draws], trace.posterior["theta"][chain]
        )
        for name in set(trace.sample_stats.data_vars) - {"worker"}:
            found = trace.sample_stats[name].values[chain]
            np.testing.assert_array_equal([d.stat[name] for d in draws], found, err_msg=name)
    assert sorted(told) == [0, 1]
    assert type(told[0][0].stat["diverging"]) is bool


def test_what_a_callback_raises_ends_the_run(model: ed.Model) -> None:
    def refuse(draw: ed.Draw) -> None:
        raise ZeroDivisionError(draw.chain)

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        ed.sample_stream(model, refuse, **SHORT | {"draws": 10_000_000, "thin": 1000})

    assert threading.active_count() <= before + 3  # the crew stays; the run's thread does not


@pytest.mark.parametrize("n_interrupts", [1, 2])
def test_after_ctrl_c_a_stream_still_gets_what_the_result_has(
    model: ed.Model, n_interrupts: int
) -> None:
    told: defaultdict[int, int] = defaultdict(int)

    def count(draw: ed.Draw) -> None:
        assert draw.draw == 100 * told[draw.chain]
        told[draw.chain] += 1

    times = [1.5 + 0.1 * i for i in range(n_interrupts)]
    timers = [threading.Timer(t, os.kill, [os.getpid(), signal.SIGINT]) for t in times]
    for timer in timers:
        timer.start()
    trace = ed.sample_stream(model, count, **SHORT | {"draws": 10**9, "thin": 100})
    for timer in timers:
        timer.join()

    assert trace.posterior.attrs["ending"] == "stopped"
    assert min(told.values()) == trace.posterior.sizes["draw"] > 0


def test_until_stops_a_real_run_and_the_rest_of_the_result_is_there(model: ed.Model) -> None:
    until = {"rhat": 1.1, "ess_bulk": 300, "mcse": {"mu": 0.5}}
    options = QUIET | {"draws": 5000, "log_likelihood": True}
    trace = ed.sample(model, until=until, **options)
    n = trace.posterior.sizes["draw"]

    assert n in (200, 300, 450, 675)
    assert trace.log_likelihood.sizes["draw"] == n
    same(trace, ed.sample(model, **options | {"draws": n}))


def test_the_data_of_a_run_are_those_it_began_with(model: ed.Model) -> None:
    expected = ed.sample(model, log_likelihood=True, **SHORT)
    run = ed.sample(model, log_likelihood=True, blocking=False, **SHORT)
    model.set_data({"seen": [9.0, 9.0, 9.0]})
    try:
        trace = run.wait()
    finally:
        model.set_data({"seen": [0.3, 1.2, -0.4]})

    same(trace, expected)
    np.testing.assert_array_equal(trace.log_likelihood["y"], expected.log_likelihood["y"])


def test_inspect_gives_a_result_before_there_is_a_draw(model: ed.Model) -> None:
    with ed.sample(model, **SHORT | {"tune": 10**8}, blocking=False) as run:
        trace = run.inspect()

    assert trace.posterior["theta"].shape == (2, 0, 3)
    assert not run.ragged()[0].posterior.sizes["draw"]


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"until": {"rhat": 0.9}}, OptionError, "rhat=0.9"),
        ({"until": {"mcse": {"nu": 1}}}, UnknownName, "'nu'"),
        ({"until": {"rhat": 1.01}, "chains": 1}, OptionError, "there is one"),
        ({"max_time_s": 0}, OptionError, "max_time_s=0"),
        ({"max_time_s": "1 h"}, OptionError, "max_time_s='1 h'"),
        ({"max_time_s": float("nan")}, OptionError, "max_time_s=nan"),
        ({"warm_start": 3}, OptionError, "int"),
    ],
    ids=str,
)
def test_a_bad_option_is_refused_by_name(
    model: ed.Model, options: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        ed.sample(model, **SHORT | options)


def test_a_stream_needs_a_function_and_waits(model: ed.Model) -> None:
    with pytest.raises(OptionError, match="callback=3"):
        ed.sample_stream(model, 3, **SHORT)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="waits"):
        ed.sample_stream(model, print, blocking=False, **SHORT)


def test_a_handle_names_its_model_and_its_store(model: ed.Model, tmp_path: Path) -> None:
    run = ed.sample(model, store=tmp_path / "run.zarr", blocking=False, **SHORT)
    run.wait()

    first, second = repr(run).splitlines()
    assert first == "Run of mu, theta given y: done, 220 of 220 draws of 2 chains, warmup included"
    assert second == f"kept in {tmp_path / 'run.zarr'}"
