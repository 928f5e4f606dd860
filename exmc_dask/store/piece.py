"""A piece: the draws of one block as one object, which a worker can write by itself.

A piece begins with its index, the CRC-32 of every stripe, and goes on at the next multiple of 8
with the stripes themselves. Chain by chain the columns follow each other, those of values,
positions, statistics that are floats, and whole ones; a column has one number of 8 bytes, little
end first, for each row. A stripe is as many columns of one chain as 64 KB hold, so that one
variable of one chain is read, and vouched for, without the rest. Where all of it lies follows from
the numbers in the receipt; what vouches for the index is the checksum there.
"""

import math
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from exmc_dask.sampler.receipt import Glimpse, Receipt
from exmc_dask.sampler.state import Draws
from exmc_dask.store.objects import Objects

FOLDER = "exmc/pieces"
_STRIPE_BYTES = 2**16

Words = NDArray[np.uint64]


def write(objects: Objects, name: str, draws: Draws, kept_from: int) -> Receipt | None:
    """Write draws as a piece, and return its receipt; None where there is no draw at all.

    Parameters
    ----------
    objects : Objects
    name : str
    draws : Draws
    kept_from : int
        Number of the first draw that is kept, warmup included.

    Raises
    ------
    OSError
        Whatever the file system has against it.
    """
    if not len(draws):
        return None
    skipped = draws.between(0, kept_from).stop
    if skipped == len(draws):
        return Receipt("", 0, 0, 0, 0, len(draws), skipped, (), Glimpse.at(draws))
    content, receipt = lay(draws, name, skipped)
    objects.put(f"{FOLDER}/{name}", content)
    return receipt


def lay(draws: Draws, name: str, skipped: int = 0) -> tuple[NDArray[np.uint8], Receipt]:
    """Return draws as the bytes of a piece, and the receipt of its first chain.

    Parameters
    ----------
    draws : Draws
        Of a chain, or of a batch with chains as second axis.
    name : str
        Of the piece; unlike that of any other.
    skipped : int
        Rows before those that are kept; one at least is.
    """
    arrays = (draws.values, draws.q, draws.stats_f, draws.stats_i)
    rows, chains = len(draws) - skipped, math.prod(draws.values.shape[1:-1])
    widths = tuple(array.shape[-1] if len(array) else 0 for array in arrays)
    columns, stripe = sum(widths), _stripe(rows)
    stripes = -(-columns // stripe)
    content = np.empty(_begin(chains, stripes) + 8 * chains * columns * rows, np.uint8)
    table = content[_begin(chains, stripes) :].view("<u8").reshape(chains, columns, rows)
    at = 0
    for array, width in zip(arrays, widths, strict=True):
        if width:
            kept = array[skipped:].reshape(rows, chains, width)
            table[:, at : at + width] = kept.view(np.uint64).transpose(1, 2, 0)
        at += width
    index = content[: 4 * chains * stripes].view("<u4").reshape(chains, stripes)
    for chain in range(chains):
        for k in range(stripes):
            index[chain, k] = zlib.crc32(table[chain, k * stripe : (k + 1) * stripe])
    content[index.nbytes : _begin(chains, stripes)] = 0
    receipt = Receipt(
        name=name,
        size=len(content),
        checksum=zlib.crc32(index),
        chains=chains,
        part=0,
        n=len(draws),
        skipped=skipped,
        widths=widths,
        glimpse=Glimpse.at(draws),
    )
    return content, receipt


def index_of(objects: Objects, receipt: Receipt) -> NDArray[np.uint32]:
    """Read the index of a piece, (chains, stripes).

    Raises
    ------
    ValueError
        It is damaged or gone.
    """
    stripes = -(-sum(receipt.widths) // _stripe(receipt.kept))
    n_bytes = 4 * receipt.chains * stripes
    content = objects.get_part(f"{FOLDER}/{receipt.name}", 0, n_bytes)
    if content is None:
        raise ValueError("it is gone")
    if zlib.crc32(content) != receipt.checksum:
        raise ValueError("its index is damaged")
    found: NDArray[np.uint32] = np.frombuffer(content, "<u4")
    return found.reshape(receipt.chains, stripes)


def stripes_of(receipt: Receipt, first: int, stop: int) -> range:
    """Return the stripes in which columns [first, stop) lie."""
    stripe = _stripe(receipt.kept)
    return range(first // stripe, -(-stop // stripe))


def columns_of(receipt: Receipt, stripe: int) -> range:
    """Return the columns of a stripe."""
    width = _stripe(receipt.kept)
    return range(stripe * width, min((stripe + 1) * width, sum(receipt.widths)))


def read(
    objects: Objects, receipt: Receipt, index: NDArray[np.uint32], stripes: range
) -> Iterator[tuple[int, Words]]:
    """Read neighbouring stripes of a chain in one go, and go over them: (columns, rows) each.

    Raises
    ------
    ValueError
        One of them is damaged, or the piece is gone.
    """
    rows, columns = receipt.kept, sum(receipt.widths)
    first, stop = columns_of(receipt, stripes[0]).start, columns_of(receipt, stripes[-1]).stop
    begin = _begin(*index.shape) + 8 * rows * receipt.part * columns
    name = f"{FOLDER}/{receipt.name}"
    content = objects.get_part(name, begin + 8 * rows * first, begin + 8 * rows * stop)
    if content is None:
        raise ValueError("it is gone")
    if len(content) < 8 * rows * (stop - first):
        raise ValueError("its end is missing")
    table: Words = np.frombuffer(content, "<u8").reshape(stop - first, rows)
    for stripe in stripes:
        own = columns_of(receipt, stripe)
        part = table[own.start - first : own.stop - first]
        if zlib.crc32(part) != index[receipt.part, stripe]:
            raise ValueError("it is damaged")
        yield stripe, part


def _begin(chains: int, stripes: int) -> int:
    """Return where the first stripe begins."""
    return -(-4 * chains * stripes // 8) * 8


def _stripe(rows: int) -> int:
    """Return the columns of a stripe."""
    return max(1, _STRIPE_BYTES // (8 * rows))
