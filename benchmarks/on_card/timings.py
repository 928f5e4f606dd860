"""How fast a GPU draws."""

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import product

from exmc_dask.sampler.settings import Settings
from gradient import regression
from on_card.blocks import Speed, on_cpu
from on_card.machine import Rates, Twin
from on_card.subject import Chains, Subject
from on_card.trial import Trial, verdict

_HEAD = (
    f"\n{'model':14} {'dim':>4} {'chains':>6} {'lanes':>5} {'block':>5} {'draws':>6} "
    f"{'launches':>8} {'s':>6} {'leapfrogs/s':>11} {'draws/s':>10} {'floor/s':>10} {'of':>5}"
)
_LONG_S = 200.0  # what compiles much may go on for without a word
_SWEPT_S = 0.5  # of a block that is timed in the sweep


@dataclass(frozen=True)
class Warm:
    """A model's chains after warmup, and what the machine can do at best with its data."""

    chains: Chains
    rates: Rates


def time_blocks(trial: Trial) -> None:
    """Time blocks, for one number of chains after the other; then with other lanes and blocks."""
    print(_HEAD)
    warm = dict(_warm(trial))
    for chains, (name, states) in product(trial.options.chains, warm.items()):
        one = trial.subjects[name]
        for lanes in trial.lanes(one, chains):
            what = f"{chains} chains of {name} with {lanes} lanes"
            if trial.begins("speeds", what, 6 * trial.options.seconds):
                with trial.report.attempt("speeds", what):
                    many = states.chains.repeated(chains)
                    seconds = trial.options.seconds
                    show(trial, trial.bench.speed(one, lanes, many, states.rates, seconds))
    sweep(trial, warm)


def _warm(trial: Trial) -> Iterator[tuple[str, Warm]]:
    """Go over the models with warm chains; each is timed on the processors on the way."""
    here = Twin().rates
    for name, one in trial.subjects.items():
        what = f"speeds of {name}"
        if trial.report.is_wrong("speeds", what) or not trial.budget.allows(what, 20):
            continue
        is_new = trial.report.is_new("speeds", what)
        with trial.report.attempt("speeds", what):
            lanes = trial.lanes(one, trial.options.few)[0]
            chains = trial.bench.adapted(one, lanes, trial.options.few)
            yield name, Warm(chains, trial.machine.rates(one.cost.bytes))
            if is_new:
                show(trial, on_cpu(one, chains, here(one.cost.bytes), trial.options.seconds))


def sweep(trial: Trial, warm: Mapping[str, Warm]) -> None:
    """Time the same with other lanes, then with other blocks, than are chosen by themselves."""
    options = trial.options
    for chains, (name, states) in product(options.sweep_chains, warm.items()):
        one = trial.subjects[name]
        chosen = trial.lanes(one, chains)[0]
        grid = [(lanes, options.block) for lanes in options.sweep_lanes]
        grid += [(chosen, block) for block in options.sweep_blocks if block != options.block]
        for lanes, block in grid:
            what = f"{chains} chains of {name} with {lanes} lanes in blocks of {block}"
            if trial.begins("sweep", what, 6 * _SWEPT_S):
                with trial.report.attempt("sweep", what):
                    many = states.chains.repeated(chains)
                    row = trial.bench.speed(
                        *(one, lanes, many, states.rates, _SWEPT_S), block=block
                    )
                    show(trial, row, "sweep")


def show(trial: Trial, row: Speed, section: str = "speeds") -> None:
    trial.report.add(section, asdict(row) | {"fraction": row.fraction})
    lanes = row.lanes or "CPU"
    print(
        f"{row.model:14} {row.dim:4} {row.chains:6} {lanes:>5} {row.block or '':>5} {row.draws:6} "
        f"{row.launches or '':>8} {row.seconds:6.2f} "
        f"{row.leapfrogs_per_s:11.3g} {row.draws_per_s:10.3g} "
        f"{row.floor_per_s:10.3g} {row.fraction:5.1%}",
        flush=True,
    )


def time_tiles(trial: Trial) -> None:
    """Time a large regression whose chains read by themselves, and whose chains share tiles."""
    options, bench = trial.options, trial.bench
    for chains in options.tiled_chains:
        what = f"{chains} chains that share tiles"
        if not trial.begins("tiles", what, 60 + 8 * options.seconds):
            continue
        with trial.report.attempt("tiles", what, _LONG_S):
            one = large(options.tiled_rows)
            rates = trial.machine.rates(one.cost.bytes)
            for lanes in trial.lanes(one, chains):
                found = bench.check(one.in_tiles(), lanes, min(chains, 8), draws=2)
                trial.report.add("blocks", asdict(found) | {"holds": found.holds})
                many = one.starts(1).repeated(chains)
                both = [
                    bench.speed(each, lanes, many, rates, options.seconds)
                    for each in (one, one.in_tiles())
                ]
                for row in both:
                    show(trial, row)
                ratio = both[1].leapfrogs_per_s / both[0].leapfrogs_per_s
                row = {"chains": chains, "lanes": lanes, "rows": options.tiled_rows}
                trial.report.add("tiles", row | {"times_as_fast": ratio})
                print(f"tiles are {ratio:.2f} times as fast{verdict(found.holds)}", flush=True)


def large(rows: int) -> Subject:
    """Return a regression with 50 columns, before its warmup, whose trees are short."""
    model = regression(rows, columns=50)
    return Subject.of("regression", model, Settings(seed=1, tune=0, draws=2**30, max_treedepth=4))


def time_peers(trial: Trial) -> None:
    """Time NumPyro and BlackJAX on the same device, where they are asked for."""
    options = trial.options
    for peer in options.peers:
        if not trial.begins("peers", peer, 60):
            continue
        with trial.report.attempt("peers", peer):
            importlib.import_module("on_card.peers")
        if trial.report.is_wrong("peers", peer):
            continue
        print(
            f"\n{peer + ':':14} {'chains':>6} {'compile s':>9} {'s':>6} {'leapfrogs/s':>11} draws/s"
        )
        for name in trial.subjects:
            for chains in options.peer_chains:
                what = f"{peer}: {chains} chains of {name}"
                if not trial.begins("peers", what, 60):
                    continue
                with trial.report.attempt("peers", what, _LONG_S):
                    peers = importlib.import_module("on_card.peers")
                    row = peers.measure(peer, name, chains, options.peer_draws)
                    trial.report.add("peers", asdict(row))
                    print(
                        f"{name:14} {chains:6} {row.compile_s:9.1f} {row.seconds:6.2f} "
                        f"{row.leapfrogs_per_s:11.3g} {row.draws_per_s:.3g}",
                        flush=True,
                    )
