"""What a pod of the tests runs, as ``python pod_client.py first | STORE.zarr | CLUSTER``."""

import hashlib
import sys
import time

import numpy as np

import exmc_dask as ed

what = sys.argv[1]


def drawn(trace: object) -> str:
    """Return a digest of what was drawn."""
    values = trace.posterior["b"].values  # type: ignore[attr-defined]
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def first() -> None:
    """Say how long a fresh process takes to its first draw, for two models."""
    with ed.Model() as small:  # the image's seed has its kernel, see helm/docker/warm.py
        mu = ed.Normal("mu", 0, 5)
        ed.Normal("y", mu, 1, observed=[1.0, 2.0, 3.0])
    from pod_model import model

    for name, one in (("small", small), ("new", model)):
        ed.sample(one, 1, 0, 1, cluster="threads", random_seed=1, compute_convergence_checks=False)
        print(f"{name} model: first draw after {time.process_time():.2f} s of processor time")


def sample(cluster: str) -> None:
    """Sample, and say when that is under way and what was drawn in the end."""
    from pod_model import model

    run = ed.sample(model, 2000, 400, 4, cluster=cluster, random_seed=1, blocking=False)
    for draw in run.stream():
        if draw.draw == 200:
            print("under way", flush=True)
    trace = run.wait()
    stats = trace.sample_stats
    print(f"drew {drawn(trace)} by {stats['worker'].attrs['names']}", end=", ")
    print(f"tried {stats['attempt'].values.max()} times more")


if what == "first":
    first()
elif what.endswith(".zarr"):
    print(f"drew {drawn(ed.open_store(what))}")
else:
    sample(what)
