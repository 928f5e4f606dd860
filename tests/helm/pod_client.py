"""What a pod of the tests runs: sample, say when it is under way, and what it drew in the end."""

import hashlib
import sys
import time

import numpy as np

import exmc_dask as ed

cluster = sys.argv[1]
began = time.process_time()

with ed.Model() as small:  # the image's seed has its kernel, see helm/docker/warm.py
    mu = ed.Normal("mu", 0, 5)
    ed.Normal("y", mu, 1, observed=[1.0, 2.0, 3.0])

rng = np.random.default_rng(0)
x, y = rng.normal(size=(3000, 5)), rng.normal(size=3000)
with ed.Model() as model:
    b = ed.Normal("b", 0, 1, shape=5)
    nu = ed.Gamma("nu", 2, 0.1)
    ed.StudentT("y", nu, x @ b, 1, observed=y)

if cluster == "first":  # how long a fresh pod takes to its first draw
    for name, one in (("small", small), ("new", model)):
        ed.sample(one, 1, 0, 1, cluster="threads", random_seed=1, compute_convergence_checks=False)
        print(
            f"{name} model: first draw after {time.process_time() - began:.2f} s of processor time"
        )
    sys.exit()


def report(event):
    if getattr(event, "first", 0) >= 600:
        print("under way", flush=True)


trace = ed.sample(
    model, 2000, 400, 4, cluster=cluster, random_seed=1, progressbar=report, block_draws=100
)
digest = hashlib.sha256(np.ascontiguousarray(trace.posterior["b"].values).tobytes()).hexdigest()
again = trace.sample_stats["attempt"].values.max()
print(f"drew {digest} by {trace.sample_stats['worker'].attrs['names']}, tried {again} times more")
