"""Fill EXMC_CACHE_DIR with what every run needs: the sampler for each metric."""

import exmc_dask as ed
from exmc_dask.kernels.runtime.chain import METRICS

with ed.Model() as model:
    mu = ed.Normal("mu", 0, 5)
    ed.Normal("y", mu, 1, observed=[1.0, 2.0, 3.0])

for metric in METRICS:
    ed.sample(model, 20, 40, 1, metric=metric, random_seed=1, cluster="threads", progressbar=False)
