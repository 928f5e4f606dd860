"""What does a store cost a run? Processor time, memory, bytes, and how long the chains wait.

Fresh processes run one model without a store, with one and with one that is resumed halfway, in
turns; then with a store on two worker processes, where draws are sent to the coordinator, or
written by who drew them. Processor time, that of the coordinator, counts from a warm kernel to the
result; peak memory is that of the process above what it had before the run. "waits" is the longest
time that the run's own thread spent handing one block to the store, "B a draw" is what workers send
in all, by draws that are kept.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

SCRIPT = """
import json, os, resource, sys, time
import numpy as np
import exmc_dask as ed
from exmc_dask.cluster.pools import dask_pool
from exmc_dask.runs.keeper import StoreKeeper

way, place = sys.argv[1:3]
draws, n_slow, n_parameters = map(int, sys.argv[3:])
quiet = {"progressbar": False, "compute_convergence_checks": False}
waits = [0.0]
received = [0]
block, unpack = StoreKeeper.block, dask_pool.unpack

def timed(self, result):
    began = time.perf_counter()
    found = block(self, result)
    waits.append(time.perf_counter() - began)
    return found

def counted(message):
    received[0] += len(message)
    return unpack(message)

StoreKeeper.block, dask_pool.unpack = timed, counted

def model():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n_slow, n_parameters))
    with ed.Model() as model:
        beta = ed.Normal("beta", 0, 1, shape=n_parameters)
        ed.Bernoulli("y", logit_p=ed.math.dot(x, beta), observed=rng.integers(0, 2, n_slow))
    return model

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

made = model()
writers = {"store_writers": "workers"} if way == "written" else {}
there = "local" if way in ("sent", "written") else "threads"
options = {"chains": 2, "tune": 300, "random_seed": 1, "cluster": there}
ed.sample(made, draws=10, **options, **quiet)
ed.sample(made, draws=10, store=place + ".warm", **writers, **options, **quiet)
received[0] = 0
if way == "resumed":
    ed.sample(made, draws=draws // 2, store=place, **options, **quiet)
before, began, cpu = peak(), time.perf_counter(), time.process_time()
if way == "resumed":
    trace = ed.resume(place, draws=draws - draws // 2, **quiet)
else:
    store = {} if way == "plain" else {"store": place, **writers}
    trace = ed.sample(made, draws=draws, **store, **options, **quiet)
seconds, used = time.perf_counter() - began, time.process_time() - cpu
files = [p for p in __import__("pathlib").Path(place).rglob("*") if p.is_file()]
print(json.dumps({
    "cpu_s": used, "wall_s": seconds, "peak_mb": peak() - before, "wait_ms": 1e3 * max(waits),
    "draws_mb": sum(group.to_dataset().nbytes for group in trace.children.values()) / 1e6,
    "received": received[0] / (2 * draws),
    "size_mb": sum(p.stat().st_size for p in files) / 1e6, "files": len(files),
}))
"""
WAYS = ("plain", "stored", "resumed", "sent", "written")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=20_000)
    parser.add_argument("--rows", type=int, default=100, help="data of the model: time of a draw")
    parser.add_argument("--parameters", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(args.repeats):
        for way in WAYS:
            with tempfile.TemporaryDirectory() as folder:
                command = [sys.executable, "-c", SCRIPT, way, f"{folder}/run.zarr"]
                command += [str(args.draws), str(args.rows), str(args.parameters)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                found[way].append(json.loads(done.stdout))
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} processors")
    print(
        f"{args.parameters} parameters, 2 chains of {args.draws} draws; medians of {args.repeats}"
    )
    print(
        "| | processor s | wall s | peak MB | waits ms | result MB | store MB | files | B a draw |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for way, runs in found.items():
        middle = {name: median(run[name] for run in runs) for name in runs[0]}
        print(
            f"| {way} | {middle['cpu_s']:.2f} | {middle['wall_s']:.1f} | {middle['peak_mb']:.0f} | "
            f"{middle['wait_ms']:.2f} | {middle['draws_mb']:.0f} | {middle['size_mb']:.1f} | "
            f"{middle['files']:.0f} | {middle['received']:.0f} |"
        )
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
