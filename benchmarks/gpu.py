"""Are draws of a GPU right, and how many are there a second?

One call of under ten minutes on a machine with a GPU. It compiles all kernels side by side, then
holds blocks to the CPU's and to themselves, then whole runs to the CPU's. Then it times blocks of
256 to 32768 chains, and shows them beside the floor of the card: operations and bytes at the peak
rates that are measured with them, as in gradient.py. Those of 4096 chains are timed with other
lanes and blocks as well. A large regression is timed twice: with chains that read its data each for
itself, and with chains that share tiles of them. It ends in time with what it has, and writes the
JSON anew with every row.
What raises, hangs or takes the GPU with it costs only itself: the rest is done by another process.
Of what hangs nothing is heard for 100 s (200 s where much is compiled); then its process is ended.

Status 1: something that was checked is wrong. Status 2: there is no GPU. ``--target cpu`` tries all
of it on a processor, whose rates say nothing about a GPU.
"""

import faulthandler
import json
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

from exmc_dask.errors import CompileError
from exmc_dask.kernels.cuda import gpu
from on_card import compiling
from on_card.blocks import Bench
from on_card.checks import check_blocks, check_runs
from on_card.machine import Card, Machine, Twin
from on_card.options import arguments
from on_card.report import Budget, Poisoned, Report, versions
from on_card.supervised import AGAIN, supervised
from on_card.timings import time_blocks, time_peers, time_tiles
from on_card.trial import Trial, subject, subjects, verdict

SANITIZERS = ("memcheck", "racecheck")
_GRACE_S = 45  # after which a launch that does not end takes the process with it
TINY = ("simple", 3, 4)  # model, draws and chains of the run that is looked at by a sanitizer


def compile_all(trial: Trial) -> None:
    """Compile all kernels side by side, for a third of the time at most."""
    options = trial.options
    if options.processes < 1 or options.go_on:
        return
    began = time.perf_counter()
    pairs, done = trial.all_pairs(), 0
    given = ["--target", options.target, "--block", str(options.block)]
    for row in compiling.compile_all(pairs, given, options.processes, options.budget / 3):
        trial.report.add("compiled", row)
        done += 1
        if "error" in row:
            print(f"{row['model']} with {row['lanes']} lanes: {row['error']}{verdict(False)}")
    if done < len(pairs):
        trial.budget.left_out.append(f"compiling {len(pairs) - done} kernels beforehand")
    print(f"{done} of {len(pairs)} kernels in {time.perf_counter() - began:.0f} s\n", flush=True)


def compile_one(bench: Bench, name: str, lanes: int) -> None:
    """Compile one kernel, so that it lies in the cache, and print how long that took."""
    one = subject(name, 10)
    began = time.perf_counter()
    bench.make(one, lanes, one.starts(1), 0)
    print(json.dumps({"seconds": time.perf_counter() - began}))


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
        with trial.report.attempt("sanitizer", kind, trial.budget.left_s):
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
    if options.compile:
        name, _, lanes = options.compile.partition(":")
        compile_one(bench, name, int(lanes))
        return 0
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
    if options.tiny or options.compile or options.alone:
        return main(given)
    with tempfile.TemporaryDirectory() as folder:
        file = options.json or Path(folder) / "found.json"
        return supervised([sys.executable, __file__, *given, "--alone"], file, options.budget)


if __name__ == "__main__":
    sys.exit(script(sys.argv[1:]))
