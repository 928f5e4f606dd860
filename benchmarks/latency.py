"""How long until the first draw? Fresh processes, imports included: cold, cached, new data.

Three figures of a fresh process that keeps one draw: wall time from its start until the draw is in
its memory; until it has ended, with a DataTree and after closing its cluster; and the processor
time of it and its children, which is steadier on a busy machine. "new model" has no kernel for the
model but a compiled sampler; "first ever" has an empty cache; "cached" runs the same model again;
"new data" gives the cached kernel data of another length.

Then the fixed cost of a call: one draw, in a process that has made some before.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from math import nan
from pathlib import Path
from statistics import median

SCRIPT = """
import time
import numpy as np
import exmc_dask as ed

def show(event):
    if getattr(event, "phase", "") == "done":
        print(time.time())

if __name__ == "__main__":
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, {scale})
        sigma = ed.HalfNormal("sigma", 5)
        ed.Normal("y", mu, sigma, observed=np.random.default_rng(1).normal(3, 2, {n}))
    ed.sample(model, draws=1, tune=0, chains=1, random_seed=1, cluster={cluster!r},
              progressbar=show, compute_convergence_checks=False)
"""
IMPORT = "import {module}"
CALLS = """
import time
from statistics import median
import numpy as np
import exmc_dask as ed

def calls(model, **where):
    wall, used = [], []
    for _ in range(30):
        begun = time.perf_counter(), time.process_time()
        ed.sample(model, draws=1, tune=0, chains=1, random_seed=1, progressbar=False,
                  compute_convergence_checks=False, **where)
        wall.append(time.perf_counter() - begun[0])
        used.append(time.process_time() - begun[1])
    print(median(wall[5:]), median(used[5:]))

if __name__ == "__main__":
    from distributed import Client, LocalCluster
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 10.0)
        sigma = ed.HalfNormal("sigma", 5)
        ed.Normal("y", mu, sigma, observed=np.random.default_rng(1).normal(3, 2, 50))
    calls(model, cluster="threads")
    with LocalCluster(2, threads_per_worker=1, dashboard_address=":0") as cluster:
        with Client(cluster) as client:
            calls(model, client=client)
"""


@dataclass(frozen=True)
class Start:
    """Seconds of one fresh process; `draw_s` is nan where it draws nothing."""

    draw_s: float
    end_s: float
    processor_s: float


@dataclass(frozen=True)
class Latency:
    """Medians over fresh processes, and the load of the machine meanwhile."""

    what: str
    draw_s: float
    end_s: float
    processor_s: float
    load: float


@dataclass(frozen=True)
class Call:
    """Fixed cost of a call in a warm process: its own processor time, not that of workers."""

    where: str
    wall_ms: float
    processor_ms: float


def python(code: str, cache: Path) -> str:
    """Run `code` in a fresh process with its kernel cache in `cache`; return what it prints."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write(code)
        script.flush()
        done = subprocess.run(
            [sys.executable, script.name],
            check=True,
            env=os.environ | {"EXMC_CACHE_DIR": str(cache)},
            stdout=subprocess.PIPE,
            text=True,
        )
    return done.stdout


def fresh(code: str, cache: Path) -> Start:
    """Time a fresh process that prints when it has its draw, if it makes one."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
    said = python(code, cache)
    ended, after = time.time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    drawn = float(said.split()[0]) if said else nan
    return Start(drawn - began, ended - began, used)


def model(scale: float = 10.0, n: int = 50, cluster: str = "threads") -> str:
    """Script that declares and samples; another `scale` is another model, another `n` is not."""
    return SCRIPT.format(scale=scale, n=n, cluster=cluster)


def main() -> None:
    """Print the table and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows: list[Latency] = []

    def report(what: str, starts: list[Start]) -> None:
        row = Latency(
            what=what,
            draw_s=median(s.draw_s for s in starts),
            end_s=median(s.end_s for s in starts),
            processor_s=median(s.processor_s for s in starts),
            load=os.getloadavg()[0],
        )
        rows.append(row)
        figures = (row.draw_s, row.end_s, row.processor_s, row.load)
        print(f"{what:34}" + "".join(f" {x:9.2f}" for x in figures), flush=True)

    repeats = range(options.repeats)
    print(f"{platform.machine()}, Python {platform.python_version()}, {options.repeats} repeats")
    print(f"{'median seconds':34}{'1st draw':>10}{'end':>10}{'processor':>10}{'load':>10}")
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        for module in ("numpy", "exmc_dask"):
            report(
                f"import {module}", [fresh(IMPORT.format(module=module), cache) for _ in repeats]
            )
        report("first ever on a machine, threads", [fresh(model(), cache)])
        report("new model, threads", [fresh(model(11.0 + i), cache) for i in repeats])
        report("cached, threads", [fresh(model(), cache) for _ in repeats])
        report("cached, new data, threads", [fresh(model(n=60 + i), cache) for i in repeats])
        report(
            "cached, local Dask cluster", [fresh(model(cluster="local"), cache) for _ in repeats]
        )
        lines = python(CALLS, cache).splitlines()
    calls = [
        Call(where, *(1e3 * float(word) for word in line.split()))
        for where, line in zip(("threads", "a Dask client"), lines, strict=True)
    ]
    print(f"{'a call of one draw, median ms':34}{'wall':>10}{'processor':>10}")
    for call in calls:
        print(f"{call.where:34} {call.wall_ms:9.1f} {call.processor_ms:9.1f}")
    if options.json:
        options.json.write_text(json.dumps([*map(asdict, rows), *map(asdict, calls)], indent=1))


if __name__ == "__main__":
    main()
