"""What may be asked of the benchmark of a GPU."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from exmc_dask.kernels.cuda import gpu
from exmc_dask.processor import n_processors
from models.seven import MODELS

CHAINS = (4096, 256, 32768, 1024)  # the most telling first


def numbers(kind: Callable[[str], Any] = int) -> Callable[[str], list[Any]]:
    return lambda text: [kind(each) for each in text.split(",") if each]


def arguments(about: str | None, given: Sequence[str] | None) -> argparse.Namespace:
    """Read options; ``about`` is what the script says of itself."""
    parser = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    add = parser.add_argument
    add("--target", choices=("cuda", "cpu"), default="cuda")
    add("--models", type=numbers(str), default=list(MODELS))
    add("--chains", type=numbers(), default=list(CHAINS), help="of the blocks that are timed")
    add("--lanes", type=numbers(), default=[], help="as the cost model says by default")
    add("--block", type=int, choices=gpu.BLOCKS, default=gpu.BLOCK, help="threads of a block")
    add("--few", type=int, default=256, help="chains of what is not timed")
    add("--tune", type=int, default=300, help="warmup draws")
    add("--run-draws", type=int, default=200, help="draws of the runs that are compared")
    add("--repeat-draws", type=int, default=20, help="draws of the blocks that are repeated")
    add("--seconds", type=float, default=1.5, help="of a block that is timed")
    add("--sweep-chains", type=numbers(), default=[4096], help="that are timed in other ways, too")
    add("--sweep-lanes", type=numbers(), default=[1, 4, 8, 16, 32])
    add("--sweep-blocks", type=numbers(), default=[64, 256], help="beside --block")
    add("--tiled-chains", type=numbers(), default=[4096, 256], help="of the large regression")
    add("--tiled-rows", type=int, default=100_000, help="of its data")
    add("--peers", type=numbers(str), default=[], help="of numpyro and blackjax")
    add("--peer-chains", type=numbers(), default=[256, 4096])
    add("--peer-draws", type=int, default=50)
    add("--sanitizer", action="store_true", help="let compute-sanitizer look at a tiny run")
    add("--processes", type=int, default=n_processors(), help="that compile; 0: only this one")
    add("--budget", type=float, default=540, help="seconds for everything")
    add("--json", type=Path)
    add("--tiny", action="store_true", help=argparse.SUPPRESS)
    add("--go-on", action="store_true", help=argparse.SUPPRESS)
    add("--compile", help=argparse.SUPPRESS)
    add("--alone", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(given)
