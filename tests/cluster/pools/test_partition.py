"""A worker behind a network that fails and heals: two network namespaces, as only root may make."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from exmc_dask.cluster.pools.thread_pool import ThreadPool
from tests.cluster import real
from tests.cluster.pools.test_pools import draws, start
from tests.cluster.processes import Processes, kill

NETWORK = "10.231.7"
SIDES = {"near": f"{NETWORK}.1", "far": f"{NETWORK}.2"}

# The coordinator, in a namespace of its own; it cuts the line when a chain on the far side draws.
PROGRAM = """
import hashlib, json, subprocess, sys
from distributed import Client
from exmc_dask.cluster.pools.dask_pool import DaskPool
from exmc_dask.cluster.plan.moves import Progress
from tests.cluster import real
from tests.cluster.pools.test_pools import draws, notes, start

address, far, cut, heal = sys.argv[1:]
struck, healed = [], []

def strike(event):
    if not isinstance(event, Progress) or healed:
        return
    if far in event.worker and event.draw > 20 and not struck:
        struck.append(event.unit)
        subprocess.run(cut.split(), check=True)
    elif event.unit in struck and far not in event.worker:  # it goes on here, while it may there
        healed.append(event.draw)
        subprocess.run(heal.split(), check=True)

with Client(address, set_as_default=False) as client:
    client.wait_for_workers(2, timeout=60)
    run = start(DaskPool(client), real.slow_spec(), on_event=strike)
    digests = {unit: hashlib.sha256(found).hexdigest() for unit, found in draws(run).items()}
print(json.dumps({"draws": digests, "notes": notes(run), "struck": struck, "healed": healed}))
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def line() -> Iterator[dict[str, str]]:
    """Two namespaces with a line between them, by side; skipped where that is not possible."""
    if os.geteuid() or not shutil.which("ip"):
        pytest.skip("network namespaces need root and the command ip")
    names = {side: f"exmc{os.getpid()}{side}" for side in SIDES}
    try:
        for name in names.values():
            try:
                ip("netns", "add", name)
            except subprocess.CalledProcessError as error:
                pytest.skip(f"this machine makes no network namespaces: {error.stderr.decode()}")
        ends = [f"ex{os.getpid() % 10**6}{side[0]}" for side in SIDES]
        ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for end, (side, name) in zip(ends, names.items(), strict=True):
            ip("link", "set", end, "netns", name)
            ip("-n", name, "link", "set", end, "name", "line")
            ip("-n", name, "addr", "add", f"{SIDES[side]}/24", "dev", "line")
            ip("-n", name, "link", "set", "line", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names.values():
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def test_a_partition_that_heals_costs_no_bit(line: dict[str, str], tmp_path: Path) -> None:
    via = {side: ("ip", "netns", "exec", name) for side, name in line.items()}
    cut, heal = (f"ip -n {line['far']} link set line {how}" for how in ("down", "up"))
    with Processes(tmp_path) as processes:
        address, _ = processes.scheduler(host=SIDES["near"], via=via["near"])
        workers = [processes.worker(address, host=SIDES[side], via=via[side]) for side in SIDES]
        ended = subprocess.run(
            [*via["near"], sys.executable, "-c", PROGRAM, address, SIDES["far"], cut, heal],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)},
            capture_output=True,
            text=True,
            timeout=180,
        )
        for worker in workers:
            kill(worker)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout.splitlines()[-1])
    undisturbed = draws(start(ThreadPool(2), real.spec()))

    assert told["draws"] == {str(u): hashlib.sha256(d).hexdigest() for u, d in undisturbed.items()}
    assert told["healed"]
    assert set(told["notes"]) <= {"worker hung"}  # none if it was cut between two blocks
