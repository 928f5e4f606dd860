"""How long until the first draw? Fresh processes, imports included: cold, cached, new data.

Each figure is the wall time of ``python -c`` from its start to the result of a call that keeps one
draw. "new model" has an empty kernel folder for the model but a compiled sampler;
"first ever" has an empty cache; "cached" runs the same model again; "new data" gives the cached
kernel data of another length.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

SCRIPT = """
import numpy as np
import exmc_dask as ed

if __name__ == "__main__":
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, {scale})
        sigma = ed.HalfNormal("sigma", 5)
        ed.Normal("y", mu, sigma, observed=np.random.default_rng(1).normal(3, 2, {n}))
    ed.sample(model, draws=1, tune=0, chains=1, random_seed=1, cluster={cluster!r},
              progressbar=False, compute_convergence_checks=False)
"""
IMPORT = "import {module}"


@dataclass(frozen=True)
class Latency:
    """Seconds from the start of a fresh process to the first draw."""

    what: str
    median_s: float
    fastest_s: float


def fresh(code: str, cache: Path) -> float:
    """Run `code` in a fresh process with its kernel cache in `cache`; wall seconds."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write(code)
        script.flush()
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, script.name],
            check=True,
            env=os.environ | {"EXMC_CACHE_DIR": str(cache)},
        )
        return time.perf_counter() - began


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

    def report(what: str, seconds: list[float]) -> None:
        rows.append(Latency(what, median(seconds), min(seconds)))
        print(f"{what:34} {median(seconds):7.2f} {min(seconds):8.2f}", flush=True)

    repeats = range(options.repeats)
    print(f"{platform.machine()}, Python {platform.python_version()}, {options.repeats} repeats")
    print(f"{'seconds in a fresh process':34} {'median':>7} {'fastest':>8}")
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
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()
