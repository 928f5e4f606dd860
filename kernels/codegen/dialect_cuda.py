"""How each elementwise operation is written for a group of lanes on a GPU: one row an Op.

The words are those of `dialect_cpu`; what they call is imported from the runtime of the target,
which has a module of each name (`build.sources`). Behind the model's functions the emitted text has
the entry points of the GPU: `sample` makes trips of NUTS, `outputs` writes what is kept.
"""

from collections.abc import Mapping

from exmc_dask.expressions.ops import Op

from .dialect_cpu import (
    INCOMPLETE,
    LINALG,
    MATH,
    SPECIAL,
    VECMATH,
    Rule,
    as_bool,
    as_float,
    as_index,
)
from .dialect_cpu import (
    RULES as CPU_RULES,
)

__all__ = ["RULES", "as_bool", "as_float", "as_index"]

GROUP = frozenset(
    {
        "chains", "cuda", "device", "entry", "group_max", "group_sum", "group_sync",
        "part", "parts",
    }
)  # fmt: skip
BLOCKS = frozenset({"places"})
NUMPY = frozenset({"float32", "float64", "int64"})
TILES = frozenset({"fetch"})
TRIPS = frozenset({"N_REALS", "N_SLOTS", "advance", "advance_together", "begin", "end"})
LOOPS = frozenset({"add_at", "at", "first_turn", "leads", "stride"})

IMPORTS = {
    "math": MATH,
    "numpy": NUMPY,
    ".blocks": BLOCKS,
    ".group": GROUP,
    ".incomplete": INCOMPLETE,
    ".linalg": LINALG,
    ".loops": LOOPS,
    ".special": SPECIAL,
    ".tiles": TILES,
    ".trips": TRIPS,
    ".vecmath": VECMATH,
}
"""Module -> names that emitted text may call; the text imports those it does."""
OUTSIDE = ()
"""Imports that every emitted module has."""
_ALWAYS = (TRIPS | {"chains", "cuda", "device", "entry", "float64", "int64", "part", "parts"}) - {
    "advance", "advance_together",
}  # fmt: skip
ALWAYS = _ALWAYS | {"advance"}
"""Names that every emitted module calls."""
ALWAYS_IN_STEP = _ALWAYS | {"advance_together", "places"}
"""The same where the chains of a block share tiles of data."""
PART = ("@device",)
"""Decorator of a part of a long function."""


def decorator(result: str) -> tuple[str, ...]:
    """Return the decorator of a whole function; the compiler finds out what it returns."""
    return PART


def view(array: str, start: str) -> str:
    """Return an array from `start` on; no function of the GPU returns an array."""
    return f"{array}[{start}:]"


RULES: Mapping[Op, Rule] = dict(CPU_RULES)
"""A row for every elementwise Op."""

_SAMPLE = """

@entry
def sample(
    all_reals, all_ints, vectors, spreads, walks, works, data, data32, index,
    all_q, all_stats_f, all_stats_i, n, first, until, budget,
):
    \"""Make `budget` trips with each of `n` chains, none further than draw `until`.\"""
    reals = cuda.local.array(N_REALS, float64)
    ints = cuda.local.array(N_SLOTS, int64)
    for chain in chains(n):
        begin(part(all_reals, chain), part(all_ints, chain), reals, ints)
        advance(
            logp_grad, reals, ints, parts(vectors, chain), parts(spreads, chain),
            parts(walks, chain), part(works, chain), data, data32, index, parts(all_q, chain),
            parts(all_stats_f, chain), parts(all_stats_i, chain), first, until, budget,
        )
        end(part(all_reals, chain), part(all_ints, chain), reals, ints)
"""

_SAMPLE_IN_STEP = """

@entry
def sample(
    all_reals, all_ints, vectors, spreads, walks, works, data, data32, index,
    all_q, all_stats_f, all_stats_i, n, first, until, budget,
):
    \"""Make `budget` trips with each of `n` chains, none further than draw `until`.\"""
    reals = cuda.local.array(N_REALS, float64)
    ints = cuda.local.array(N_SLOTS, int64)
    for place in places(n):
        is_there, chain = place < n, min(place, n - 1)
        if is_there:
            begin(part(all_reals, chain), part(all_ints, chain), reals, ints)
        advance_together(
            logp_grad, is_there, reals, ints, parts(vectors, chain), parts(spreads, chain),
            parts(walks, place), part(works, place), data, data32, index, parts(all_q, chain),
            parts(all_stats_f, chain), parts(all_stats_i, chain), first, until, budget,
        )
        if is_there:
            end(part(all_reals, chain), part(all_ints, chain), reals, ints)
"""

_OUTPUTS = """

@entry
def outputs(all_q, all_values, works, data, data32, index, n, first, rows):
    \"""Write what is kept of `rows` draws of each of `n` chains, from row `first` of the ring.\"""
    for chain in chains(n):
        q, values = parts(all_q, chain), parts(all_values, chain)
        for row in range(first, first + rows):
            place = row % q.shape[0]
            expand(q[place], values[place], data, data32, index, part(works, chain))
"""


def _lines(*entries: str) -> tuple[str, ...]:
    return tuple("".join(entries).removesuffix("\n").split("\n"))


DRIVERS = _lines(_SAMPLE, _OUTPUTS)
"""Lines behind the two functions: what is launched, on as many groups of lanes as one likes."""
DRIVERS_IN_STEP = _lines(_SAMPLE_IN_STEP, _OUTPUTS)
"""The same where the chains of a block share tiles of data: they are launched in whole blocks."""
