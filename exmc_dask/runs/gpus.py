"""GPUs: what a caller asks of them, and what a run takes of them, known before it begins."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any, Literal

from exmc_dask.errors import CompileError, OptionError
from exmc_dask.kernels import build
from exmc_dask.kernels.codegen.tiled import TILE_STEP
from exmc_dask.kernels.cuda import gpu
from exmc_dask.sampler.checked import is_whole

TARGETS = ("auto", "cpu", "cuda")
MANY = 256
"""Chains from which on GPUs that a cluster happens to have are worth it."""
_OF_A_CLUSTER = 8  # GPUs: batches for as many, if they are not too small
_BLOCKS = ", ".join(map(str, gpu.BLOCKS))
_ALLOWED = {
    "lanes": f"one of {', '.join(map(str, build.LANES))}",
    "block": f"one of {_BLOCKS}",
    "batch": "a whole number above 0",
    "tile": f"'auto', 0 or a multiple of {TILE_STEP}",
}


@dataclass(frozen=True)
class Wish:
    """What a caller asks of GPUs.

    Attributes
    ----------
    gpus : int
        That may share the run.
    lanes : int, optional
        Threads that share a chain; by default what the cost of the model suggests.
    block : int
        Threads of a block.
    batch : int, optional
        Chains that are on a GPU at a time, at most; by default 8192, or fewer where they do not
        fit.
    tile : int or "auto"
        Rows of large data that the chains of a block read together; 0: each for itself.
    else_cpus : bool
        CPUs may go on where no GPU can.

    Raises
    ------
    OptionError
        One of those in between has an impossible value.
    """

    gpus: int
    lanes: int | None = None
    block: int = gpu.BLOCK
    batch: int | None = None
    tile: int | Literal["auto"] = "auto"
    else_cpus: bool = False

    def __post_init__(self) -> None:
        possible = {
            "lanes": self.lanes is None or (is_whole(self.lanes) and self.lanes in build.LANES),
            "block": is_whole(self.block) and self.block in gpu.BLOCKS,
            "batch": self.batch is None or (is_whole(self.batch) and self.batch > 0),
            "tile": self.tile == "auto"
            or (is_whole(self.tile) and self.tile >= 0 and self.tile % TILE_STEP == 0),
        }
        for name, holds in possible.items():
            if not holds:
                raise OptionError(
                    f"target_options={{{name!r}: {getattr(self, name)!r}}} is not possible; "
                    f"{name!r} has to be {_ALLOWED[name]}"
                )


@dataclass(frozen=True)
class Share:
    """What a run takes of each of its GPUs.

    Attributes
    ----------
    lanes, block, tile : int
        As in `Wish`; decided.
    batch : int
        Chains of the largest batch.
    device_bytes : int
        Memory of the device that this batch needs, the draws in its ring included; about, as the
        driver keeps some for itself.
    """

    lanes: int
    block: int
    tile: int
    batch: int
    device_bytes: int

    def __str__(self) -> str:
        together = f" that read data together, {self.tile} rows at a time" if self.tile else ""
        return (
            f"{self.batch} chains at a time, {self.lanes} "
            f"{'thread' if self.lanes == 1 else 'threads'} each, in blocks of {self.block}"
            f"{together}; they need about {gpu.size(self.device_bytes)} of device memory"
        )

    def attrs(self, launches: int) -> dict[str, int]:
        """Return what the result says of it."""
        return asdict(self) | {"launches": launches}


def wish(
    target: str,
    options: Mapping[str, Any] | None,
    client: Any,
    cluster: Any,
    *,
    worth_it: bool = False,
) -> Wish | None:
    """Read the options of `exmc_dask.sample` of these names; None if no GPU is asked for.

    "auto" asks for those of ``cluster="cuda"``, and if it is `worth_it` for those that workers
    offer.

    Raises
    ------
    CompileError
        The target does not exist; or it is a GPU of this process, and there is none.
    OptionError
        An option of the target does not exist or has an impossible value.
    """
    if target not in TARGETS:
        raise CompileError(f"target={target!r} is not possible; use 'auto', 'cpu' or 'cuda'")
    if options is not None and not isinstance(options, Mapping):
        raise OptionError(
            f"target_options={options!r} is not possible; give a mapping such as {{'lanes': 8}}"
        )
    if target == "cpu" or (target == "auto" and not _found(client, cluster, worth_it)):
        if options:
            raise OptionError(
                f"target_options={dict(options)!r} are of target='cuda', and this run's target is "
                "'cpu'; leave them out, or say target='cuda'"
            )
        return None
    for name in options or {}:
        if name not in _ALLOWED:
            close = get_close_matches(str(name), _ALLOWED, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(_ALLOWED)}"
            raise OptionError(f"target_options has no {name!r}; {hint}")
    return Wish(_present(client, cluster), **(options or {}), else_cpus=target == "auto")


def within_reach(client: Any, cluster: Any) -> bool:
    """Tell whether a run could have GPUs: that of this process, or those that workers offer."""
    from exmc_dask.cluster.opening import is_here, offers_gpus

    if is_here(client, cluster):
        return not gpu.missing()
    return cluster == "cuda" or offers_gpus(client, cluster)


def _found(client: Any, cluster: Any, worth_it: bool) -> bool:
    """Tell whether there are GPUs that nobody has asked for by name."""
    if cluster == "cuda":
        return True
    from exmc_dask.cluster.opening import offers_gpus

    return worth_it and offers_gpus(client, cluster)


def _present(client: Any, cluster: Any) -> int:
    """Return the number of GPUs that may share a run."""
    from exmc_dask.cluster.opening import is_here

    if is_here(client, cluster):
        gpu.require()
        return 1
    return _OF_A_CLUSTER
