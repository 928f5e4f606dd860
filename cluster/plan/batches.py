"""Blocks of a batch of chains, as the blocks of its chains."""

from collections.abc import Iterator
from dataclasses import replace

from exmc_dask.sampler.batch import part

from .moves import BlockResult


def chain_by_chain(result: BlockResult, first: int) -> Iterator[BlockResult]:
    """Go over what a batch's block holds of each of its chains, of which `first` is the first.

    State and what was counted stay those of the batch.
    """
    for k, draws in enumerate(part(result.draws)):
        receipt = result.receipt and result.receipt.of(k)
        yield replace(result, unit=first + k, draws=draws, receipt=receipt)
