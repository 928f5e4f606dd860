"""The GPU's driver and its NUTS, on devices that are none: draws are those of the CPU."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest

from benchmarks.models import seven
from benchmarks.models.examples import EXAMPLES
from exmc_dask.errors import SamplingError
from exmc_dask.kernels import Bound, Kernel, compile
from exmc_dask.kernels.codegen.program import write
from exmc_dask.kernels.cuda import run_cuda
from exmc_dask.kernels.runtime.chain import (
    CONTROL,
    DRAWS,
    FINISHED,
    GRADIENTS,
    STATUS,
    STOP,
    STOP_AFTER,
    STOP_NOW,
    STOPPED,
)
from exmc_dask.lowering.density import lower
from exmc_dask.sampler import block
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.start import start
from exmc_dask.sampler.state import ChainState
from tests.kernels.devices import Emulator, Host


@dataclass(frozen=True)
class Model:
    kernel: Kernel
    bound: Bound
    text: str
    on_device: Bound
    support_point: Any

    def starts(self, settings: Settings, chains: int) -> list[ChainState]:
        point = self.support_point
        return [start(self.kernel, self.bound, settings, c, point) for c in range(chains)]


@cache
def model(name: str, tile: int = 0) -> Model:
    """One of the seven models or of the examples; its chains share tiles of so many rows."""
    declared = EXAMPLES[name].model() if name in EXAMPLES else getattr(seven, name)()
    density = lower(declared.spec)
    data = density.fold(declared.data)
    kernel, program = compile(density), write(density, "cuda", tile)
    shapes = [output.shape for output in density.outputs]
    on_device = program.storage.bind(data, density.axis_lengths(data), shapes)
    point = density.support_point(declared.data)
    return Model(kernel, kernel.bind(data), program.source, on_device, point)


@dataclass(frozen=True)
class Ran:
    states: list[ChainState]
    kept: dict[str, np.ndarray]
    launches: int
    control: np.ndarray


def run(
    of: Model,
    device: Any,
    settings: Settings,
    states: list[ChainState],
    n: int,
    stop: int = 0,
    launch_s: float = 0.1,
    *,
    in_step: bool = False,
    lanes: int = 0,
) -> Ran:
    control = np.zeros(len(CONTROL), np.int64)
    control[STOP] = stop
    f, i, kept, launches = run_cuda.run(
        *(device, of.on_device, lanes or device.lanes),
        *(np.stack([state.f for state in states]), np.stack([state.i for state in states])),
        *block.options(settings),
        n,
        control,
        in_step=in_step,
        launch_s=launch_s,
    )
    return Ran(list(map(ChainState, f, i)), kept, launches, control)


SHORT = Settings(seed=2**40 + 5, tune=60, draws=40)
THINNED = Settings(seed=3, tune=30, draws=30, adapt="stan", thin=4, store_unconstrained=True)


@pytest.mark.parametrize("settings", [SHORT, THINNED], ids=["fisher", "stan"])
def test_draws_are_those_of_the_cpu(settings: Settings) -> None:
    """Ten at a time from the CPU's state, as a difference in a last digit grows from then on."""
    of, columns = model("eight_schools"), [0, 1, 2, 3, 4, 5]  # the largest error may be any number
    states = of.starts(settings, 3)

    for _ in range(0, settings.total, 10):
        ran = run(of, Host(of.text), settings, states, 10)
        for chain, state in enumerate(states):
            after, draws = block.run(of.kernel, of.bound, settings, state, 10)
            pairs = [
                (ran.states[chain].f, after.f),
                (ran.kept["values"][chain], draws.values),
                (ran.kept["stats_f"][chain][:, columns], draws.stats_f[:, columns]),
            ]
            for found, wanted in pairs:
                np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-7)
            np.testing.assert_array_equal(ran.states[chain].i, after.i)
            np.testing.assert_array_equal(ran.kept["stats_i"][chain], draws.stats_i)
            states[chain] = after


def test_a_processor_can_hold_chains_of_many_lanes() -> None:
    of = model("eight_schools")
    states = of.starts(SHORT, 3)

    one, many = (run(of, Host(of.text, lanes), SHORT, states, 10) for lanes in (1, 8))

    np.testing.assert_allclose(many.kept["values"], one.kept["values"], rtol=1e-6)
    np.testing.assert_array_equal(many.kept["stats_i"], one.kept["stats_i"])


def test_launches_and_blocks_leave_no_trace() -> None:
    of = model("eight_schools")
    states = of.starts(SHORT, 4)

    whole = run(of, Host(of.text), SHORT, states, 60)
    first = run(of, Host(of.text), SHORT, states, 23, launch_s=0.0)
    second = run(of, Host(of.text), SHORT, first.states, 37, launch_s=1e-9)

    assert second.launches > 5
    for name, rows in whole.kept.items():
        np.testing.assert_array_equal(
            np.concatenate([first.kept[name], second.kept[name]], axis=1), rows
        )


def test_a_chain_of_the_gpu_goes_on_on_the_cpu() -> None:
    of = model("eight_schools")
    states = of.starts(SHORT, 2)
    whole = run(of, Host(of.text), SHORT, states, 50)
    half = run(of, Host(of.text), SHORT, states, 30)

    for chain, state in enumerate(half.states):
        _, draws = block.run(of.kernel, of.bound, SHORT, state, 20)
        np.testing.assert_allclose(whole.kept["values"][chain, 30:], draws.values, rtol=1e-5)


def test_a_small_ring_holds_any_number_of_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    of = model("eight_schools")
    states = of.starts(SHORT, 3)
    whole = run(of, Host(of.text), SHORT, states, 50)
    monkeypatch.setattr(run_cuda, "_RING_BYTES", 1)

    few = run(of, Host(of.text), SHORT, states, 50)

    np.testing.assert_array_equal(few.kept["values"], whole.kept["values"])
    assert few.launches > whole.launches
    sizes = [
        run_cuda.plan(8, np.stack([s.i for s in states]), block.options(SHORT)[1], 5, 10, n)
        for n in (100, 100_000)
    ]
    assert sizes[0].size_bytes == sizes[1].size_bytes


class Counting(Host):
    def launch(self, entry: str, groups: int, *args: Any) -> None:
        if entry == "sample":
            self.most = max(getattr(self, "most", 0), args[-1])
        super().launch(entry, groups, *args)


def test_a_full_ring_does_not_make_launches_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    of = model("eight_schools")
    monkeypatch.setattr(run_cuda, "_RING_BYTES", 1)
    device = Counting(of.text)

    ran = run(of, device, SHORT, of.starts(SHORT, 2), SHORT.total, launch_s=1.0)

    row_trips = 4 * 2**SHORT.max_treedepth  # of the ring, at most
    assert ran.launches > 20
    assert device.most <= 4 * row_trips


def test_a_block_that_is_to_stop_ends_at_one_draw() -> None:
    of = model("eight_schools")
    states = of.starts(SHORT, 3)

    ran = run(of, Host(of.text), SHORT, states, 100, stop=STOP_AFTER)

    ends = {state.draw for state in ran.states}
    assert len(ends) == 1
    assert ends == {ran.kept["values"].shape[1]} == {int(ran.control[DRAWS])}
    assert ran.control[STATUS] == STOPPED
    assert 0 < max(ends) < 100


def test_a_block_that_is_to_stop_now_never_was() -> None:
    of = model("eight_schools")
    states = of.starts(SHORT, 2)

    ran = run(of, Host(of.text), SHORT, states, 100, stop=STOP_NOW)

    assert ran.kept["values"].shape[1] == 0
    for state, before in zip(ran.states, states, strict=True):
        np.testing.assert_array_equal(state.f, before.f)


def test_what_a_block_did_is_counted() -> None:
    of = model("eight_schools")

    ran = run(of, Host(of.text), SHORT, of.starts(SHORT, 2), SHORT.total)

    assert ran.control[STATUS] == FINISHED
    steps = ran.kept["stats_i"][:, :, 1].sum()
    assert steps <= ran.control[GRADIENTS] < steps + 100  # the rest searched for step sizes


def test_a_chain_that_is_not_finite_is_named() -> None:
    of = model("eight_schools")
    good, bad = of.starts(SHORT, 2)
    bad = bad.replace(logp=np.nan)

    with pytest.raises(SamplingError, match="chain 1 holds a log-density"):
        run(of, Host(of.text), SHORT, [good, bad], 10)


QUICK = Settings(seed=11, tune=6, draws=4)


@pytest.mark.parametrize(("name", "lanes"), [("eight_schools", 4), ("logistic", 32), ("medium", 8)])
def test_lanes_in_any_order_draw_what_the_cpu_draws(name: str, lanes: int) -> None:
    of = model(name)
    n = 3 if name == "logistic" else 6
    states = of.starts(QUICK, 2)

    one, other = (run(of, Emulator(of.text, lanes, seed), QUICK, states, n) for seed in (1, 2))

    for kept, rows in one.kept.items():
        np.testing.assert_array_equal(other.kept[kept], rows)
    for chain, state in enumerate(states):
        _, draws = block.run(of.kernel, of.bound, QUICK, state, n)
        np.testing.assert_allclose(one.kept["values"][chain], draws.values, rtol=1e-8)
        np.testing.assert_array_equal(one.kept["stats_i"][chain], draws.stats_i)


BARRIER = "    group_sync()\n"
BARRIERS = {  # file -> the text in front of which or behind which stands the barrier
    "metric.py": ("\n\n@summing\ndef _velocity", False),  # between a leapfrog half and the model
    "rng.py": ("def fill_normal", True),
}


@pytest.mark.parametrize("where", BARRIERS)
def test_lanes_that_do_not_wait_draw_something_else(where: str) -> None:
    of = model("eight_schools")
    states = of.starts(QUICK, 1)

    def hurry(name: str, text: str) -> str:
        if name != where:
            return text
        mark, behind = BARRIERS[where]
        place = text.index(mark)
        at = text.index(BARRIER, place) if behind else text.rindex(BARRIER, 0, place)
        return text[:at] + "    pass\n" + text[at + len(BARRIER) :]

    calm = run(of, Emulator(of.text, 8, 1), QUICK, states, 2)
    hasty = run(of, Emulator(of.text, 8, 2, hurry), QUICK, states, 2)

    assert not np.array_equal(calm.kept["values"], hasty.kept["values"])
