"""Are draws of a GPU right, and how many are there a second?

One call of under ten minutes on a machine with a GPU. It holds blocks to the CPU's and to
themselves, then whole runs to the CPU's. Then it times blocks of 256 to 32768 chains, and shows
them beside the floor of the card: operations and bytes at the peak rates that are measured with
them, as in gradient.py. A large regression is timed twice: with chains that read its data each for
itself, and with chains that share tiles of them. It ends in time with what it has, and writes the
JSON anew with every row.
What raises, hangs or takes the GPU with it costs only itself: the rest is done by another process.

Status 1: something that was checked is wrong. Status 2: there is no GPU. ``--target cpu`` tries all
of it on a processor, whose rates say nothing about a GPU.
"""

import argparse
import contextlib
import faulthandler
import importlib
import multiprocessing
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import exmc_dask as ed
from exmc_dask.errors import CompileError
from exmc_dask.kernels import gpu
from exmc_dask.sampler.settings import Settings
from gradient import regression
from models.seven import MODELS
from on_card.blocks import Bench, Speed, on_cpu
from on_card.machine import Card, Machine, Rates, Twin
from on_card.moments import apart
from on_card.options import arguments
from on_card.report import Budget, Poisoned, Report, versions
from on_card.subject import Chains, Subject
from on_card.supervised import AGAIN, supervised

SANITIZERS = ("memcheck", "racecheck")
_GRACE_S = 45  # after which a launch that does not end takes the process with it
TINY = ("simple", 3, 4)  # model, draws and chains of the run that is looked at by a sanitizer


@dataclass(frozen=True)
class Trial:
    """What every section needs."""

    options: argparse.Namespace
    machine: Machine
    bench: Bench
    subjects: dict[str, Subject]
    budget: Budget
    report: Report

    def lanes(self, subject: Subject, chains: int) -> list[int]:
        """Return the numbers of lanes that are tried for so many chains."""
        return self.options.lanes or [self.machine.lanes(subject, chains)]

    def begins(self, section: str, what: str, seconds: float) -> bool:
        """Tell whether something is to be tried: it was not yet, and there is time for it."""
        return self.report.is_new(section, what) and self.budget.allows(what, seconds)

    def pairs(self) -> Iterator[tuple[str, int]]:
        """Go over the kernels that there will be, those for correctness first."""
        seen = set()
        for chains in (self.options.few, *self.options.chains):
            for name, subject in self.subjects.items():
                for lanes in self.lanes(subject, chains):
                    if (name, lanes) not in seen:
                        seen.add((name, lanes))
                        yield name, lanes


def subject(name: str, tune: int) -> Subject:
    return Subject.of(name, MODELS[name](), Settings(seed=1, tune=tune, draws=2**30))


def subjects(options: argparse.Namespace, report: Report) -> dict[str, Subject]:
    """Return the models, without those that cannot be had."""
    found = {}
    for name in options.models:
        if not report.is_wrong("models", name):
            with report.attempt("models", name):
                found[name] = subject(name, options.tune)
    return found


def compile_one(of: tuple[str, str, int]) -> dict[str, Any]:
    """Compile one kernel, so that it lies in the cache; in a process of its own."""
    target, name, lanes = of
    began = time.perf_counter()
    row: dict[str, Any] = {"model": name, "lanes": lanes}
    try:
        one = subject(name, 10)
        Bench(Card(gpu.BLOCK) if target == "cuda" else Twin()).make(one, lanes, one.starts(1), 0)
    except Exception as error:  # told by the parent
        return row | {"error": repr(error), "holds": False}
    return row | {"seconds": time.perf_counter() - began}


def compile_all(trial: Trial) -> None:
    """Compile all kernels side by side, for a third of the time at most."""
    options = trial.options
    pairs = [(options.target, *pair) for pair in trial.pairs()]
    if options.processes < 1 or options.go_on:
        return
    began = time.perf_counter()
    done = 0
    with multiprocessing.get_context("spawn").Pool(min(options.processes, len(pairs))) as pool:
        rows = pool.imap_unordered(compile_one, pairs)  # the pool is terminated in the end
        with contextlib.suppress(multiprocessing.TimeoutError):
            for _ in pairs:
                row = rows.next(max(0.0, options.budget / 3 - (time.perf_counter() - began)))
                trial.report.add("compiled", row)
                done += 1
                if "error" in row:
                    print(
                        f"{row['model']} with {row['lanes']} lanes: {row['error']}{verdict(False)}"
                    )
    if done < len(pairs):
        trial.budget.left_out.append(f"compiling {len(pairs) - done} kernels beforehand")
    print(f"{done} of {len(pairs)} kernels in {time.perf_counter() - began:.0f} s\n")


def check_blocks(trial: Trial) -> None:
    """Hold blocks to the CPU's and to themselves."""
    print(f"{'model':14} {'lanes':>5} {'apart from the CPU':>18} {'trees':>6} {'repeats':>8}")
    for name, lanes in trial.pairs():
        what = f"{name} with {lanes} lanes"
        if not trial.begins("blocks", what, 10):
            continue
        with trial.report.attempt("blocks", what):
            row = trial.bench.check(
                trial.subjects[name], lanes, trial.options.few, trial.options.repeat_draws
            )
            trial.report.add("blocks", asdict(row) | {"holds": row.holds})
            print(
                f"{name:14} {lanes:5} {row.difference:18.1e} "
                f"{same(row.same_trees):>6} {same(row.same_bits):>8}{verdict(row.holds)}",
                flush=True,
            )


def check_runs(trial: Trial) -> None:
    """Hold whole runs to those of the CPU."""
    print(f"\n{'model':14} {'chains':>6} {'draws':>6} {'compared':>8} {'largest z':>9} of")
    for name in trial.subjects:
        if trial.begins("runs", f"runs of {name}", 60):
            with trial.report.attempt("runs", f"runs of {name}"):
                check_run(trial, name)


def check_run(trial: Trial, name: str) -> None:
    """Compare a model's run with one on the CPU that has another seed."""
    traces = []
    for target, seed in ((trial.machine.target, 1), ("cpu", 2)):
        began = time.perf_counter()
        traces.append(sample(name, target, seed, trial.options))
        row = {"model": name, "target": target, "chains": trial.options.few}
        trial.report.add("calls", row | {"seconds": time.perf_counter() - began})
    found = apart(name, *traces)
    trial.report.add("runs", asdict(found) | {"holds": found.holds})
    print(
        f"{name:14} {found.chains:6} {found.draws:6} {found.compared:8} {found.largest:9.2f} "
        f"{found.of}{verdict(found.holds)}",
        flush=True,
    )


def sample(name: str, target: str, seed: int, options: argparse.Namespace) -> Any:
    return ed.sample(
        MODELS[name](),
        draws=options.run_draws,
        tune=options.tune,
        chains=options.few,
        target=target,
        target_options={"block": options.block} if target == "cuda" else None,
        random_seed=seed,
        cluster="threads",
        progressbar=False,
        compute_convergence_checks=False,
    )


def time_blocks(trial: Trial) -> None:
    """Time blocks, for one number of chains after the other."""
    options, budget, report = trial.options, trial.budget, trial.report
    print(
        f"\n{'model':14} {'dim':>4} {'chains':>6} {'lanes':>5} {'draws':>6} {'launches':>8} "
        f"{'s':>6} {'leapfrogs/s':>11} {'draws/s':>10} {'floor/s':>10} {'of':>5}"
    )
    adapted: dict[str, Chains] = {}
    rates: dict[str, Rates] = {}
    here = Twin().rates
    for name, one in trial.subjects.items():
        if report.is_wrong("speeds", f"speeds of {name}"):
            continue
        if budget.allows(f"speeds of {name}", 20):
            is_new = report.is_new("speeds", f"speeds of {name}")
            with report.attempt("speeds", f"speeds of {name}"):
                rates[name] = trial.machine.rates(one.cost.bytes)
                lanes = trial.lanes(one, options.few)[0]
                adapted[name] = trial.bench.adapted(one, lanes, options.few)
                if is_new:
                    on_cpus = here(one.cost.bytes)
                    show(trial, on_cpu(one, adapted[name], on_cpus, options.seconds))
    for chains, (name, states) in product(options.chains, adapted.items()):
        one = trial.subjects[name]
        for lanes in trial.lanes(one, chains):
            what = f"{chains} chains of {name} with {lanes} lanes"
            if trial.begins("speeds", what, 6 * options.seconds):
                with report.attempt("speeds", what):
                    many = states.repeated(chains)
                    show(trial, trial.bench.speed(one, lanes, many, rates[name], options.seconds))


def show(trial: Trial, row: Speed) -> None:
    trial.report.add("speeds", asdict(row) | {"fraction": row.fraction})
    lanes = row.lanes or "CPU"
    print(
        f"{row.model:14} {row.dim:4} {row.chains:6} {lanes:>5} {row.draws:6} "
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
        with trial.report.attempt("tiles", what):
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
                with trial.report.attempt("peers", what):
                    peers = importlib.import_module("on_card.peers")
                    row = peers.measure(peer, name, chains, options.peer_draws)
                    trial.report.add("peers", asdict(row))
                    print(
                        f"{name:14} {chains:6} {row.compile_s:9.1f} {row.seconds:6.2f} "
                        f"{row.leapfrogs_per_s:11.3g} {row.draws_per_s:.3g}",
                        flush=True,
                    )


def sanitize(trial: Trial) -> None:
    """Let compute-sanitizer look at a tiny run."""
    tool = shutil.which("compute-sanitizer")
    if tool is None:
        print("\ncompute-sanitizer is not installed: it comes with the CUDA toolkit")
        return
    for kind in SANITIZERS:
        if not trial.begins("sanitizer", kind, 60):
            continue
        flags = ["--tool", kind, "--error-exitcode", "9"]
        with trial.report.attempt("sanitizer", kind):
            ran = subprocess.run(
                [tool, *flags, sys.executable, __file__, "--tiny"],
                capture_output=True,
                text=True,
                timeout=trial.budget.left_s,
                check=False,
            )
            words = (ran.stdout + ran.stderr).strip().splitlines()
            row = {"tool": kind, "status": ran.returncode, "output": words[-40:]}
            trial.report.add("sanitizer", row | {"holds": not ran.returncode})
            print(f"\n{kind}: {words[-1] if words else ''}{verdict(not ran.returncode)}")


def tiny(bench: Bench, lanes: Sequence[int]) -> None:
    """Make a few draws of a few chains."""
    name, draws, chains = TINY
    one = subject(name, draws)
    for each in lanes:
        made = bench.make(one, each, one.starts(chains), draws)
        print(f"{made.draws} draws of {chains} chains of {name} with {each} lanes")


def same(holds: bool) -> str:
    return "same" if holds else "OTHER"


def verdict(holds: bool) -> str:
    return "" if holds else "  WRONG"


def main(given: Sequence[str] | None = None) -> int:
    """Print the tables and write JSON where asked; return the status."""
    options = arguments(__doc__, given)
    budget = Budget(options.budget)
    if options.target == "cuda":
        try:
            gpu.require()
        except CompileError as error:
            print(f"gpu.py: {error} (--target cpu tries this script)", file=sys.stderr)
            return 2
    warnings.simplefilter("ignore")
    machine: Machine = Card(options.block) if options.target == "cuda" else Twin()
    bench = Bench(machine)
    if options.tiny:
        tiny(bench, options.lanes or (1, 8, 32))
        return 0
    report = Report.go_on(options.json) if options.go_on else Report(options.json)
    told = {name: str(value) for name, value in vars(options).items()}
    report.content |= {"device": machine.name, "versions": versions(), "options": told}
    models = subjects(options, report)
    print(f"{machine.name}; " + ", ".join(f"{k} {v}" for k, v in versions().items()) + "\n")
    late = options.budget + _GRACE_S
    faulthandler.dump_traceback_later(late, exit=True, file=sys.__stderr__ or sys.stderr)
    try:
        run(Trial(options, machine, bench, models, budget, report))
    except Poisoned as error:
        print(f"{error}: the GPU failed; another process goes on without that", flush=True)
        return AGAIN
    finally:
        faulthandler.cancel_dump_traceback_later()
    checks = report.checks
    report.content |= {"left_out": budget.left_out, "seconds": budget.spent_s}
    report.write()
    print(f"\n{sum(checks)} of {len(checks)} checks hold, {budget.spent_s:.0f} s")
    if budget.left_out:
        print(f"no time for: {'; '.join(budget.left_out)}")
    return 0 if all(checks) else 1


def run(trial: Trial) -> None:
    """Do all of it, the most important first."""
    sections = [compile_all, check_blocks, check_runs, time_blocks, time_tiles, time_peers]
    for section in (*sections, sanitize) if trial.options.sanitizer else sections:
        try:
            section(trial)
        except Poisoned:
            raise
        except Exception as error:  # between the parts, which see to their own
            trial.report.fail(section.__name__, "the section itself", repr(error))


def script(given: Sequence[str]) -> int:
    """Do it in other processes, which may die of what they find."""
    options = arguments(__doc__, given)
    if options.tiny or options.alone:
        return main(given)
    with tempfile.TemporaryDirectory() as folder:
        file = options.json or Path(folder) / "found.json"
        return supervised([sys.executable, __file__, *given, "--alone"], file, options.budget)


if __name__ == "__main__":
    sys.exit(script(sys.argv[1:]))
