"""`helm test`: sample a small model on the workers of this release, and see that they did it."""

import sys

from distributed import Client

import exmc_dask as ed

address, timeout_s = sys.argv[1], float(sys.argv[2])
client = Client(address, timeout=timeout_s)
client.wait_for_workers(1, timeout=timeout_s)

with ed.Model() as model:
    mu = ed.Normal("mu", 0, 5)
    ed.Normal("y", mu, 1, observed=[1.0, 2.0, 3.0])
trace = ed.sample(model, draws=500, tune=200, chains=2, random_seed=1, client=client)

mean = trace.posterior["mu"].mean().item()
workers = client.scheduler_info(n_workers=-1)["workers"]
print(f"mean of mu: {mean:.2f} (1.97 in the long run); {len(workers)} workers")
if abs(mean - 1.97) > 0.3:
    sys.exit("the draws are wrong")
