"""Blocks become a tree that ArviZ takes for its own: groups, names, shapes, order, ragged ends."""

import json
import time
from dataclasses import dataclass

import arviz as az
import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr

from exmc_dask.expressions.layout import Layout
from exmc_dask.results import output
from exmc_dask.results.output import to_datatree
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.state import FLOAT_STATS, INT_STATS, Draws

mpl.use("Agg")


@dataclass(frozen=True)
class Array:
    name: str
    shape: tuple[int, ...] = ()
    dims: tuple[str | None, ...] = ()


@dataclass(frozen=True)
class Piece:
    draws: Draws
    worker: str = "a"
    attempt: int = 0


OUTPUTS = (Array("mu"), Array("theta", (3,), ("school",)), Array("R", (2, 2), (None, "axis")))
FREE = Layout.of([("mu", ()), ("log_tau", (1,))]).entries
COORDS = {"school": ["A", "B", "C"]}
N_OUT = 8


def draws(chain: int, first: int, n: int, thin: int = 1) -> Draws:
    """Rows whose numbers depend on chain and draw only, as a sampler's do."""
    rng = np.random.default_rng([chain, 11])
    numbers = first + thin * np.arange(n)
    table = rng.normal(size=(600, N_OUT + 2 + len(FLOAT_STATS)))[numbers]
    values, q, stats = np.split(table, [N_OUT, N_OUT + 2], axis=1)
    ints = np.zeros((n, len(INT_STATS)), np.int64)
    ints[:, INT_STATS.index("tree_depth")] = numbers
    ints[:, INT_STATS.index("diverging")] = numbers % 7 == 0
    return Draws(first, values, q, stats, ints, thin)


def chain_of(chain: int, *sizes: int, worker: str = "a") -> list[Piece]:
    """A chain cut into blocks of these sizes."""
    starts = np.cumsum([0, *sizes])
    return [Piece(draws(chain, s, n), worker) for s, n in zip(starts, sizes, strict=False)]


@pytest.fixture
def settings() -> Settings:
    return Settings(seed=5, draws=200, tune=100, store_unconstrained=True)


@pytest.fixture
def trace(settings: Settings) -> xr.DataTree:
    results = {chain: chain_of(chain, 130, 170) for chain in range(4)}
    y = np.arange(3.0)
    return to_datatree(
        results,
        OUTPUTS,
        settings,
        coords=COORDS,
        observed_data={"y": (y, ("school",))},
        constant_data={"X": (np.ones((3, 2)), ("school", None)), "n": (np.ones(5), ())},
        free=FREE,
        warmup=True,
        attrs={"sampling_time": 1.5},
    )


def test_groups_shapes_and_coordinates(trace: xr.DataTree) -> None:
    assert set(trace.children) == {
        "posterior",
        "sample_stats",
        "unconstrained_posterior",
        "warmup_posterior",
        "warmup_sample_stats",
        "observed_data",
        "constant_data",
    }
    assert trace.posterior.sizes == {"chain": 4, "draw": 200, "school": 3, "R_dim_0": 2, "axis": 2}
    assert list(trace.posterior.school.values) == ["A", "B", "C"]
    assert trace.posterior.theta.dims == ("chain", "draw", "school")
    assert trace.warmup_posterior.sizes["draw"] == 100
    assert trace.observed_data.y.dims == ("school",)
    assert trace.constant_data.X.dims == ("school", "X_dim_1")
    assert trace.constant_data.n.dims == ("n_dim_0",)
    assert list(trace.posterior.draw.values[[0, -1]]) == [0, 199]


def test_columns_land_in_their_variable_row_major(trace: xr.DataTree) -> None:
    values = draws(2, 0, 300).values

    np.testing.assert_array_equal(trace.posterior.mu[2], values[100:, 0])
    np.testing.assert_array_equal(trace.posterior.theta[2], values[100:, 1:4])
    np.testing.assert_array_equal(trace.posterior.R[2, :, 1, 0], values[100:, 6])
    np.testing.assert_array_equal(trace.warmup_posterior.mu[2], values[:100, 0])
    np.testing.assert_array_equal(
        trace.unconstrained_posterior.log_tau[2], draws(2, 0, 300).q[100:, 1:]
    )


def test_statistics_have_pymc_names_and_types(trace: xr.DataTree) -> None:
    stats = trace.sample_stats

    assert set(stats.data_vars) == {*FLOAT_STATS, *INT_STATS, "worker", "attempt"}
    assert stats.diverging.dtype == stats.reached_max_treedepth.dtype == bool
    assert stats.lp.dtype == np.float64
    assert stats.n_steps.dtype == np.int64
    np.testing.assert_array_equal(stats.tree_depth[1], np.arange(100, 300))
    np.testing.assert_array_equal(stats.lp[3], draws(3, 0, 300).stat("lp")[100:])


def test_attributes_say_where_the_result_is_from(trace: xr.DataTree, settings: Settings) -> None:
    attrs = trace.posterior.attrs

    assert trace.sample_stats.attrs == attrs
    assert attrs["inference_library"] == "exmc_dask"
    assert attrs["tuning_steps"] == 100
    assert attrs["seed"] == 5
    assert attrs["sampling_time"] == 1.5
    assert attrs["sample_dims"] == ["chain", "draw"]
    assert Settings.from_dict(json.loads(attrs["settings"])) == settings


def test_where_blocks_end_does_not_show(settings: Settings) -> None:
    whole = to_datatree({0: chain_of(0, 300)}, OUTPUTS, settings, warmup=True)
    cut = to_datatree({0: chain_of(0, 1, 99, 0, 7, 193)}, OUTPUTS, settings, warmup=True)

    for group in whole.children:
        xr.testing.assert_equal(whole[group].to_dataset(), cut[group].to_dataset())


def test_workers_are_codes_with_names(settings: Settings) -> None:
    first, second = chain_of(0, 150, 150)
    moved = [first, Piece(second.draws, "tcp://b", attempt=2)]

    stats = to_datatree({0: moved}, OUTPUTS, settings).sample_stats

    names = stats.worker.attrs["names"]
    assert stats.worker.dtype == np.int16
    assert [names[code] for code in stats.worker.values[0, [49, 50]]] == ["a", "tcp://b"]
    assert list(stats.attempt.values[0, [49, 50]]) == [0, 2]


@pytest.mark.parametrize(
    ("shorter", "kept"),
    [((130, 40), 70), ((40,), 0), ((), 0)],
    ids=["while drawing", "in warmup", "not begun"],
)
def test_ragged_chains_keep_what_they_share(
    shorter: tuple[int, ...], kept: int, settings: Settings
) -> None:
    results = {0: chain_of(0, 300), 1: chain_of(1, *shorter)}

    trace = to_datatree(results, OUTPUTS, settings, warmup=True)

    assert trace.posterior.sizes["draw"] == kept
    assert trace.warmup_posterior.sizes["draw"] == min(100, sum(shorter))


def test_nothing_after_a_gap_counts(settings: Settings) -> None:
    first, _, last = chain_of(0, 120, 30, 150)

    assert to_datatree({0: [first, last]}, OUTPUTS, settings).posterior.sizes["draw"] == 20


def test_thinned_rows_keep_their_draw_numbers() -> None:
    settings = Settings(seed=1, draws=20, tune=10, thin=4)
    pieces = [Piece(draws(0, 2, 3, thin=4)), Piece(draws(0, 14, 4, thin=4))]

    trace = to_datatree({0: pieces}, OUTPUTS, settings, warmup=True)

    assert list(trace.warmup_posterior.draw.values) == [2, 6]
    assert list(trace.posterior.draw.values) == [0, 4, 8, 12, 16]
    np.testing.assert_array_equal(trace.sample_stats.tree_depth[0], [10, 14, 18, 22, 26])


def test_only_what_was_asked_for_is_there(settings: Settings) -> None:
    assert set(to_datatree({0: chain_of(0, 300)}, OUTPUTS, settings).children) == {
        "posterior",
        "sample_stats",
    }


def test_the_result_owns_its_arrays(settings: Settings) -> None:
    pieces = chain_of(0, 300)
    trace = to_datatree({0: pieces}, OUTPUTS, settings)
    before = trace.posterior.mu.values.copy()

    pieces[0].draws.values[:] = 0

    np.testing.assert_array_equal(trace.posterior.mu.values, before)


def test_arviz_summarises_it(trace: xr.DataTree) -> None:
    table = az.summary(trace)

    assert list(table.index[:4]) == ["mu", "theta[A]", "theta[B]", "theta[C]"]
    assert az.bfmi(trace).energy.shape == (4,)


@pytest.mark.parametrize("plot", ["plot_trace", "plot_rank", "plot_energy", "plot_forest"])
def test_arviz_plots_it(plot: str, trace: xr.DataTree) -> None:
    getattr(az, plot)(trace, backend="matplotlib")
    mpl.pyplot.close("all")


def test_it_survives_a_zarr_store(trace: xr.DataTree, tmp_path) -> None:
    trace.to_zarr(tmp_path / "trace.zarr", consolidated=False)

    with xr.open_datatree(tmp_path / "trace.zarr", engine="zarr", consolidated=False) as back:
        assert back.posterior.attrs == trace.posterior.attrs
        assert back.sample_stats.worker.attrs == trace.sample_stats.worker.attrs
        xr.testing.assert_equal(back.posterior.to_dataset(), trace.posterior.to_dataset())


def test_it_takes_milliseconds() -> None:
    settings = Settings(seed=1, draws=1000, tune=0)
    outputs = [Array(f"v{i}") for i in range(10)]
    rows = np.ones((250, 10))
    stats = np.ones((250, len(FLOAT_STATS))), np.ones((250, len(INT_STATS)), np.int64)
    results = {
        chain: [Piece(Draws(250 * k, rows, rows[:0], *stats)) for k in range(4)]
        for chain in range(4)
    }

    times = []
    for _ in range(20):
        began = time.perf_counter()
        to_datatree(results, outputs, settings)
        times.append(time.perf_counter() - began)

    assert min(times) < 0.008


def test_what_is_put_together_unchecked_is_what_xarray_puts_together(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = {0: chain_of(0, 300), 1: chain_of(1, 300)}
    assert output._unchecked_is_right()
    fast = to_datatree(results, OUTPUTS, settings, coords=COORDS, warmup=True)
    monkeypatch.setattr(output, "_unchecked_is_right", lambda: False)
    slow = to_datatree(results, OUTPUTS, settings, coords=COORDS, warmup=True)
    for name, group in slow.children.items():
        assert fast[name].attrs.keys() == group.attrs.keys()
        mine, theirs = (tree.to_dataset().drop_attrs() for tree in (fast[name], group))
        assert mine.identical(theirs)
        assert {k: i.to_pandas_index().tolist() for k, i in mine.xindexes.items()} == {
            k: i.to_pandas_index().tolist() for k, i in theirs.xindexes.items()
        }
        assert mine.sel(draw=theirs["draw"][3]).identical(theirs.sel(draw=theirs["draw"][3]))


def test_a_short_way_that_leads_elsewhere_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_indexes(variables, coords, attrs):
        return xr.Dataset(variables, coords, attrs).drop_indexes("b")

    def gone(variables, coords, attrs):
        raise AttributeError

    for other in (without_indexes, gone):
        monkeypatch.setattr(output, "_unchecked", other)
        output._unchecked_is_right.cache_clear()
        assert not output._unchecked_is_right()
    output._unchecked_is_right.cache_clear()
