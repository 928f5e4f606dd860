# One way in: `make demo` and `make test` do all of their own set-up in .venv.
PY := .venv/bin/python
STAMP := .venv/.installed
CUDA := .venv-cuda/bin/python
# one process a processor, four at most; a file's tests stay together, for what they share
PYTEST := $(PY) -m pytest -n logical --maxprocesses 4 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-pods test-cuda check format bench clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

# Set up again only when the dependencies may have changed.
$(STAMP): pyproject.toml .ci/find-python
	@python=$$(.ci/find-python) && { [ -x $(PY) ] || "$$python" -m venv .venv; }
	$(PY) -m pip install --quiet --disable-pip-version-check -e ".[test]"
	@touch $@

demo: $(STAMP)  ## eight schools on a local Dask cluster: progress, summary, diagnosis, a plot
	.venv/bin/exmc-dask demo

test: $(STAMP)  ## the whole fast suite
	$(PYTEST) $(PYTEST_ARGS)

test-slow: $(STAMP)  ## the fast suite and the long statistical tests
	$(PYTEST) --runslow --timeout 3600 $(PYTEST_ARGS)

test-pods: $(STAMP)  ## images and pods of the chart under podman, as root; a cluster through Dask's operator
	$(PY) -m pip install --quiet --disable-pip-version-check -e ".[test,kubernetes]"
	$(PY) -m pytest --runpods -s tests/helm/test_pods.py tests/cluster/clusters/test_kubernetes.py $(PYTEST_ARGS)

# In an environment of its own, as dask-cuda wants one certain release of Dask.
test-cuda:  ## without a GPU what needs numba-cuda and dask-cuda: PTX of all models (registers where ptxas is) and what it draws, numba's simulator, GPU workers
	@[ -x $(CUDA) ] || { python=$$(.ci/find-python) && "$$python" -m venv .venv-cuda; }
	$(CUDA) -m pip install --quiet --disable-pip-version-check -e ".[cuda,test]"
	$(CUDA) -m pytest --runslow --timeout 3600 tests/kernels/cuda/test_ptx.py tests/kernels/cuda/test_ptx_runs.py tests/kernels/cuda/test_simulated.py tests/cluster/test_gpu.py $(PYTEST_ARGS)

check: $(STAMP)  ## format, lint and types, changing nothing
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy

format: $(STAMP)  ## write the format and the safe lint fixes
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

bench: $(STAMP)  ## every benchmark, one table each; status 2 is that of one that lacks a GPU
	@set -e; for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(PY) "$$script" || test $$? = 2; done

clean:  ## everything that can be made again
	rm -rf .venv .venv-cuda build dist ./*.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
