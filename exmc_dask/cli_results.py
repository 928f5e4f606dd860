"""What the command line does with results: print them, keep them, go on with stored runs."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from exmc_dask.cluster.plan.asks import Ending
from exmc_dask.errors import OptionError, StoreError

if TYPE_CHECKING:
    import xarray as xr

    import exmc_dask as ed

SCHEDULER = "tcp://HOST:PORT of a Dask scheduler, 'local' for a cluster of processes, 'threads'."
WRITERS = click.Choice(["coordinator", "workers"])
TARGET = click.Choice(["auto", "cpu", "cuda"])
OUT = "Where to keep the result: a .zarr folder."


def check_out(out: str | None, store: str | None = None) -> None:
    """Raise OptionError for a result that could not be written in the end, or only over others."""
    if not out:
        return
    if not out.endswith(".zarr"):
        raise OptionError(f"--out {out}: the name has to end in .zarr")
    if find_spec("zarr") is None:
        raise OptionError(
            "--out needs zarr, which is not installed: pip install 'exmc-dask[store]'"
        )
    from exmc_dask.store.manifest import MANIFEST

    path = Path(out)
    if (path / MANIFEST).exists() or (store and path.resolve() == Path(store).resolve()):
        raise OptionError(f"--out {out} is the store of a run; give the result a name of its own")
    if path.is_file() or (path.is_dir() and any(path.iterdir()) and not _is_result(path)):
        raise OptionError(f"--out {out} is there already, and no result; give another name")
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise OptionError(f"--out {out} cannot be written: you may not change {above}")


def _is_result(path: Path) -> bool:
    return (path / "zarr.json").exists() and (path / "posterior").is_dir()


def show(trace: "xr.DataTree", out: str | None = None) -> None:
    """Print the summary table and what is wrong, and write the result if that is wanted."""
    from exmc_dask.results.convergence import MIN_DRAWS

    if trace.posterior.sizes["draw"] < MIN_DRAWS:
        click.echo("too few draws for a summary yet")
    else:
        _judge(trace)
    if out:
        trace.to_zarr(out, mode="w", consolidated=False)
        click.echo(f"result: {out}")


def _judge(trace: "xr.DataTree") -> None:
    from exmc_dask.results.diagnosis import diagnose, summary

    click.echo(summary(trace).to_string())
    findings = diagnose(trace)
    for finding in findings:
        click.echo(f"warning: {finding}")
    if not findings:
        click.echo("diagnosis: nothing found")


def conclude(trace: "xr.DataTree", out: str | None = None) -> None:
    """Show and keep what a run has drawn; KeyboardInterrupt where a Ctrl-C had ended it early."""
    show(trace, out)
    if trace.posterior.attrs["ending"] == str(Ending.STOPPED):
        n_draws = trace.posterior.sizes["draw"]
        click.echo(f"stopped early, with {n_draws} draws of each chain", err=True)
        raise KeyboardInterrupt


@click.command()
@click.argument("store")
@click.option("--draws", default=0, help="Draws of each chain beyond those asked for before.")
@click.option("--scheduler", help=SCHEDULER)
@click.option("--target", type=TARGET, default="auto", help="As before by default, if it is there.")
@click.option("--store-writers", type=WRITERS, help="Who writes draws; as before by default.")
@click.option("--out", type=click.Path(), help=OUT)
def resume(
    store: str, draws: int, scheduler: str | None, target: Any, store_writers: Any, out: str | None
) -> None:
    """Go on with the run in STORE, a path or URL, after whatever ended it."""
    import exmc_dask as ed

    check_out(out, store)
    trace = ed.resume(
        store,
        draws=draws,
        cluster=scheduler,
        target=target,
        store_writers=store_writers,
        compute_convergence_checks=False,
    )
    conclude(trace, out)


@click.command()
@click.argument("store")
def inspect(store: str) -> None:
    """Show the run in STORE: whose it is, how far each chain has come, the draws so far."""
    import exmc_dask as ed
    from exmc_dask.runs.keeper import read
    from exmc_dask.store.objects import objects_at

    stored = read(objects_at(store))
    settings, owner = stored.settings, stored.owner
    click.echo(f"run of {stored.manifest.layout.chains} chains by exmc_dask, seed {settings.seed}")
    click.echo(f"owner: {owner.host}, epoch {owner.epoch}; {stored.seconds:.0f} s so far")
    if stored.manifest.layout.in_pieces:
        pieces = {e.receipt.name: e.receipt.size for t in stored.tails.values() for e in t.pieces}
        size = sum(pieces.values()) / 1e6
        click.echo(f"draws: {len(pieces)} pieces, {size:.1f} MB, written by workers")
    for chain in range(stored.manifest.layout.chains):
        tail = stored.tails.get(chain)
        draw = tail.state.draw if tail and tail.state else 0
        given_up = ", given up" if tail and tail.dropped else ""
        click.echo(f"chain {chain}: draw {draw} of {settings.total}, warmup included{given_up}")
    try:
        trace = ed.open_store(store)
    except StoreError:
        trace = None
    if trace is None:
        click.echo("no draws yet")
    else:
        show(trace)


def go_on(
    store: str,
    model: "ed.Model",
    asked: dict[str, Any],
    cluster: Any,
    target: Any = "auto",
    store_writers: Any = None,
) -> "xr.DataTree":
    """Go on with a run, which has to be the one that was asked for, to the draws asked for.

    Raises
    ------
    StoreError
        It is another run.
    """
    import exmc_dask as ed
    from exmc_dask.runs.keeper import read
    from exmc_dask.store.objects import objects_at

    stored = read(objects_at(store))
    before = stored.settings.to_dict() | {"chains": stored.manifest.layout.chains}
    wanted = {name: value for name, value in asked.items() if value is not None}
    draws = wanted.pop("draws")
    others = [f"{n}={before[n]!r} and not {v!r}" for n, v in wanted.items() if before[n] != v]
    if model.spec.to_bytes() != stored.manifest.model:
        others.append("another model")
    elif not all(np.array_equal(stored.manifest.data[n], at) for n, at in model.data.items()):
        others.append("other data")  # of the same slots, as the model is the same
    if others:
        raise StoreError(f"--store {store} holds another run: it has {', '.join(others)}")
    return ed.resume(
        store,
        draws=max(0, draws - before["draws"]),
        cluster=cluster,
        target=target,
        store_writers=store_writers,
        compute_convergence_checks=False,
    )


def holds_run(store: str) -> bool:
    """Whether there is a run in a store."""
    from exmc_dask.store.manifest import MANIFEST
    from exmc_dask.store.objects import objects_at

    return objects_at(os.fspath(store)).get(MANIFEST) is not None
