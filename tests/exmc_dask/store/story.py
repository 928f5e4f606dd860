"""A run without a sampler, for stores: a model, what its blocks would be, and its result."""

from collections.abc import Buffer, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from exmc_dask.results.output import to_datatree
from exmc_dask.sampler.receipt import Receipt
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.state import ChainState, Draws
from exmc_dask.store.layout import lay_out
from exmc_dask.store.manifest import OWNER, Manifest, Owner
from exmc_dask.store.objects import Folder, Objects
from exmc_dask.store.skeleton import Skeleton, row_numbers
from exmc_dask.store.stored import Stored
from exmc_dask.store.writer import Writer
from tests.exmc_dask.results import test_output as output

CHAINS = 2
DIM = 2


@dataclass(frozen=True)
class Block:
    unit: int
    state: ChainState
    draws: Draws
    worker: str
    attempt: int = 0
    fingerprint: str = "cpu"
    receipt: Receipt | None = None


@dataclass(frozen=True)
class Story:
    """A run of two chains; ``chunk`` is small, so that it has several chunks."""

    settings: Settings
    warmup: bool = True
    chunk: int | None = 40

    def block(self, chain: int, first: int, n: int) -> Block:
        """Draws [first, first + n) of a chain, thinned."""
        tune, thin = self.settings.tune, self.settings.thin
        begin = first + (tune - first) % thin
        rows = len(range(begin, first + n, thin))
        state = ChainState.blank(
            DIM, "fisher", "diag", chain, draw=first + n, q=np.full(DIM, float(first + n))
        )
        draws = output.draws(chain, begin, rows, thin)
        return Block(chain, state, draws, f"worker {(first // 50) % 3}")

    def blocks(self, size: int = 30, until: int | None = None) -> list[Block]:
        """All blocks up to a draw, chain by chain in turns."""
        stop = self.settings.total if until is None else until
        return [
            self.block(chain, first, min(size, stop - first))
            for first in range(0, stop, size)
            for chain in range(CHAINS)
        ]

    def result(self, blocks: list[Block]) -> xr.DataTree:
        chains = {c: [b for b in blocks if b.unit == c] for c in range(CHAINS)}
        return to_datatree(
            chains,
            output.OUTPUTS,
            self.settings,
            coords=output.COORDS,
            observed_data={"y": (np.arange(3.0), ("school",))},
            free=output.FREE,
            warmup=self.warmup,
        )

    @property
    def manifest(self) -> Manifest:
        s = self.settings
        n_warmup = len(row_numbers(s, True)) if self.warmup else 0
        groups = {n: g.to_dataset() for n, g in self.result([]).children.items()}
        return Manifest(
            model=b"a model",
            data={"y": np.arange(3.0)},
            coords={"school": np.array(["A", "B", "C"])},
            initials={1: np.ones(DIM)},
            options={"ncp": "auto", "var_names": None},
            settings=s.to_dict(),
            run={"log_prior": False},
            spec="spec",
            layout=lay_out(groups, CHAINS, n_warmup, len(row_numbers(s, False)), self.chunk),
            release="0",
        )

    def begin(self, objects: Objects, **options: Any) -> Writer:
        """Write the manifest and start a writer."""
        objects.create()
        objects.put_all(self.manifest.objects())
        owner = Owner(1, "first", self.settings.draws, False, "here")
        objects.put(OWNER, owner.to_bytes())
        return self.go_on(objects, **options)

    def write(self, objects: Objects, blocks: list[Block], **options: Any) -> None:
        """Write a run from its begin to where its blocks end."""
        hand_over(self.begin(objects, **options), blocks)

    def go_on(self, objects: Objects, **options: Any) -> Writer:
        manifest = self.manifest
        return Writer(
            objects,
            Owner.read(objects),
            manifest.layout,
            self.settings,
            lambda: Skeleton(self.result([]), manifest.layout, self.settings),
            **options,
        )


class Shelf(Objects):
    """Objects in memory; ``log`` has all that were ever put."""

    def __init__(self, log: Sequence[tuple[str, bytes]] = ()) -> None:
        self.root, self.log, self.held = "shelf", list(log), dict(log)

    def get(self, name: str) -> bytes | None:
        return self.held.get(name)

    def get_part(self, name: str, first: int, stop: int) -> bytes | None:
        content = self.held.get(name)
        return None if content is None else content[first:stop]

    def names(self, folder: str) -> list[str]:
        return [name for name in self.held if name.startswith(f"{folder}/")]

    def delete(self, name: str) -> None:
        self.held.pop(name, None)

    def put(self, name: str, content: Buffer) -> None:
        self.log.append((name, bytes(content)))
        self.held[name] = bytes(content)

    def create(self) -> None:
        pass

    def is_empty(self) -> bool:
        return not self.held


def hand_over(writer: Writer, blocks: list[Block]) -> None:
    """Let a writer write all of these blocks, and nothing may go wrong."""
    for block in blocks:
        writer.take(block)
    writer.close()
    if writer.trouble is not None:
        raise writer.trouble


def equal(one: xr.DataTree, other: xr.DataTree, plain: bool = False) -> None:
    """Assert that two results hold the same, but for when they were made and how workers count.

    ``plain`` xarray has another dtype for labels that are text.
    """
    assert set(one.children) == set(other.children)
    for name, node in one.children.items():
        mine, yours = node.to_dataset().load(), other[name].to_dataset().load()
        if "worker" in mine:
            mine, yours = _named(mine), _named(yours)
        xr.testing.assert_equal(mine, yours)
        for variable in mine.variables:
            same = mine[variable].dtype == yours[variable].dtype
            assert same or (plain and variable in mine.coords), variable
        own = {"created_at", "sampling_time", "ending"}
        assert _plain(mine, own) == _plain(yours, own)


def _named(group: xr.Dataset) -> xr.Dataset:
    names = np.array(group["worker"].attrs["names"] or [""], "U9")
    return group.assign(worker=(group["worker"].dims, names[group["worker"].values]))


def _plain(group: xr.Dataset, without: set[str]) -> dict[str, Any]:
    return {name: value for name, value in group.attrs.items() if name not in without}


def read(path: Path) -> Stored:
    return Stored.read(Folder(path))
