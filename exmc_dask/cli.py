"""The command line: ``exmc-dask demo | sample | resume | inspect | check | info | certs | cache``.

Exit codes::

    0    done
    1    an error, said in one line; ``exmc-dask --debug COMMAND`` shows where
    2    a command line that cannot be meant
    3    ``check`` found something that will keep the model from being sampled
    130  interrupted; what was drawn before is shown, and kept where --out or --store say
"""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from exmc_dask.cli_models import load
from exmc_dask.cli_results import (
    OUT,
    SCHEDULER,
    TARGET,
    WRITERS,
    check_out,
    conclude,
    go_on,
    holds_run,
    inspect,
    resume,
)
from exmc_dask.errors import ExmcError, OptionError

if TYPE_CHECKING:
    import xarray as xr

DASHBOARD = "Show the run on the dashboard of a local cluster; the link is printed."
ERROR, UNFIT, INTERRUPTED = 1, 3, 130

PACKAGES = (
    "exmc-dask",
    "numpy",
    "numba",
    "llvmlite",
    "dask",
    "distributed",
    "arviz",
    "xarray",
    "cupy-cuda13x",
    "numba-cuda",
    "dask-cuda",
)

# Effects of coaching on test scores in eight schools, and their standard errors.
# Rubin (1981), "Estimation in parallel randomized experiments", table 1.
SCHOOLS = (
    "Choate",
    "Deerfield",
    "Phillips Andover",
    "Phillips Exeter",
    "Hotchkiss",
    "Lawrenceville",
    "St. Paul's",
    "Mt. Hermon",
)
EFFECTS = (28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0)
ERRORS = (15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0)


class _Commands(click.Group):
    """Commands whose errors are one clear line."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:  # as in "exmc-dask ... | head": click ends without a word
            raise
        except KeyboardInterrupt:
            click.echo("exmc-dask: interrupted", err=True)
            ctx.exit(INTERRUPTED)
        except Exception as error:
            if ctx.params["debug"]:
                raise
            said, *more = str(error).splitlines() or [""]
            hint = "; 'exmc-dask --debug ...' shows where"
            clear = isinstance(error, ExmcError) and not more
            click.echo(
                f"exmc-dask: {type(error).__name__}: {said}{'' if clear else hint}", err=True
            )
            ctx.exit(ERROR)


@click.group(cls=_Commands)
@click.version_option(package_name="exmc-dask")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:
    """Bayesian models on a Dask cluster."""


@main.command()
@click.option("--draws", default=1000, show_default=True)
@click.option("--tune", default=400, show_default=True)
@click.option("--chains", default=4, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--scheduler", default="local", show_default=True, help="As for 'sample'.")
@click.option("--dashboard", is_flag=True, help=DASHBOARD)
@click.option("--plot", default="eight_schools.png", show_default=True, type=click.Path())
def demo(
    draws: int, tune: int, chains: int, seed: int, scheduler: str, dashboard: bool, plot: str
) -> None:
    """Sample the eight schools on a local Dask cluster."""
    import exmc_dask as ed

    with ed.Model(coords={"school": SCHOOLS}) as model:
        mu = ed.Normal("mu", 0, 5)
        tau = ed.HalfNormal("tau", 5)
        theta = ed.Normal("theta", mu, tau, dims="school")
        ed.Normal("effect", theta, np.array(ERRORS), observed=np.array(EFFECTS), dims="school")
    with opened(scheduler, dashboard, chains) as cluster:
        trace = ed.sample(
            model,
            draws=draws,
            tune=tune,
            chains=chains,
            random_seed=seed,
            target_accept=0.9,  # small tau make a narrow neck, even with theta off centre
            cluster=cluster,
            compute_convergence_checks=False,
        )
    conclude(trace)
    _plot(trace, Path(plot))
    click.echo(f"plot: {plot}")


main.add_command(resume)
main.add_command(inspect)


@main.command()
@click.argument("model")
@click.option("--data", type=click.Path(exists=True), help="Arrays by name: .npz or .json.")
@click.option("--scheduler", help=SCHEDULER)
@click.option("--dashboard", is_flag=True, help=DASHBOARD)
@click.option("--target", type=TARGET, default="auto", help="What draws: CPUs or GPUs.")
@click.option("--draws", default=1000, show_default=True)
@click.option("--tune", default=400, show_default=True)
@click.option("--chains", default=4, show_default=True)
@click.option("--target-accept", default=0.8, show_default=True)
@click.option("--seed", type=int, help="By default one that the result names.")
@click.option("--store", help="Path or URL where the run is kept while it goes on.")
@click.option("--store-writers", type=WRITERS, help="Who writes draws there.")
@click.option("--resume", "again", is_flag=True, help="Go on with the run in STORE, if it has one.")
@click.option("--out", type=click.Path(), help=OUT)
def sample(
    model: str,
    data: str | None,
    scheduler: str | None,
    dashboard: bool,
    target: Any,
    draws: int,
    tune: int,
    chains: int,
    target_accept: float,
    seed: int | None,
    store: str | None,
    store_writers: str | None,
    again: bool,
    out: str | None,
) -> None:
    """Sample MODEL, given as FILE.py:NAME, or as a file of what model.to_bytes() returned.

    With --store and --resume the same command begins a run and, after whatever ended it, goes on
    with it, so a job can be started over and over until it is done.
    """
    import exmc_dask as ed

    check_out(out, store)
    if again and store is None:
        raise OptionError("--resume needs --store, which says where the run is")
    loaded = load(model, data)
    asked: dict[str, Any] = {
        "draws": draws,
        "tune": tune,
        "chains": chains,
        "target_accept": target_accept,
    }
    with opened(scheduler, dashboard, chains) as cluster:
        if again and store and holds_run(store):
            trace = go_on(store, loaded, {**asked, "seed": seed}, cluster, target, store_writers)
        else:
            trace = ed.sample(
                loaded,
                **asked,
                random_seed=seed,
                cluster=cluster,
                target=target,
                store=store,
                store_writers=store_writers or "coordinator",
                compute_convergence_checks=False,
            )
    conclude(trace, out)


@main.command()
@click.argument("model")
@click.option("--data", type=click.Path(exists=True), help="Arrays by name: .npz or .json.")
@click.pass_context
def check(ctx: click.Context, model: str, data: str | None) -> None:
    """Look at MODEL before sampling: start, gradient, cost. Exits with 3 when it is unfit."""
    loaded = load(model, data)
    loaded.check_observed()
    from exmc_dask.runs.preflight import preflight

    found = preflight(loaded.spec, loaded.data)
    click.echo(str(found))
    if found.troubles:
        ctx.exit(UNFIT)


@main.command()
@click.option("--cache", "only_cache", is_flag=True, help="What the kernel cache holds, only.")
def info(only_cache: bool) -> None:
    """Print versions, devices and the kernel cache."""
    from exmc_dask.kernels.cache import cache_info
    from exmc_dask.processor import cpu_class

    held = cache_info()
    total = f"{held.path}: {held.kernels} kernels, {held.size_bytes / 1e6:.1f} MB"
    if only_cache:
        click.echo(f"{total}, {len(held.runtimes)} versions of the runtime")
        for runtime in held.runtimes:
            used = datetime.fromtimestamp(runtime.used_at).strftime("%Y-%m-%d %H:%M")
            size = f"{runtime.kernels:6} kernels {runtime.size_bytes / 1e6:8.1f} MB"
            click.echo(f"  {runtime.path.name[:16]} {size}   last used {used}")
        return
    click.echo(f"{'python':14}{platform.python_version()} on {platform.platform()}")
    for package in PACKAGES:
        try:
            found = version(package)
        except PackageNotFoundError:
            found = "not installed"
        click.echo(f"{package:14}{found}")
    click.echo(f"{'cpu':14}{os.cpu_count()} cores, class {cpu_class()}")
    for name in _gpus() or ["none found"]:
        click.echo(f"{'gpu':14}{name}")
    click.echo(f"{'kernel cache':14}{total}")


@main.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def certs(folder: Path) -> None:
    """Write certificates for a cluster with TLS to FOLDER: ca.crt, tls.crt, tls.key."""
    from exmc_dask.cluster.clusters.certificates import DAYS, write_certificates

    for path in write_certificates(folder):
        click.echo(path)
    click.echo(f"They hold for {DAYS} days. Scheduler, workers and clients need all three:")
    click.echo(f"  kubectl create secret generic exmc-dask-certs --from-file={folder}")


@main.group()
def cache() -> None:
    """Look after the kernel cache; 'exmc-dask info --cache' shows it."""


@cache.command()
@click.option(
    "--older-than",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="DAYS",
    help="Only what was last used so long ago.",
)
def clear(older_than: float) -> None:
    """Delete compiled kernels and runtimes, but for those that running processes use."""
    from exmc_dask.kernels.cache import cache_clear

    done = cache_clear(older_than * 86_400)
    size = sum(runtime.size_bytes for runtime in done.deleted)
    click.echo(f"deleted {len(done.deleted)} versions of the runtime, {size / 1e6:.1f} MB")
    for runtime in done.in_use:
        click.echo(f"kept {runtime.path}: in use, or on a file system without locks")


@contextmanager
def opened(scheduler: str | None, dashboard: bool, chains: int) -> Iterator[Any]:
    """Give what ``cluster=`` is to be: the scheduler, or for a dashboard a cluster with one."""
    if not dashboard:
        yield scheduler
        return
    if scheduler not in (None, "local"):
        raise OptionError(
            f"--dashboard is for clusters that we start, not for {scheduler}; start that scheduler "
            "with --preload exmc_dask.cluster.preload, and its dashboard has our page"
        )
    import exmc_dask as ed
    from exmc_dask.processor import n_processors

    with ed.local(min(chains, n_processors()), dashboard=True) as cluster:
        yield cluster


def _plot(trace: "xr.DataTree", path: Path) -> None:
    """Save a forest plot."""
    import arviz as az
    import matplotlib as mpl

    mpl.use("Agg")
    az.plot_forest(trace, combined=True, backend="matplotlib").savefig(path)


def _gpus() -> list[str]:
    """Name the GPUs that the driver shows."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = [tool, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, check=False, timeout=30)
    return answer.stdout.splitlines() if answer.returncode == 0 else []
