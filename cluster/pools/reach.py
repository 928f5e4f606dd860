"""Whether workers reach the store that they are to write to: tried, not believed.

A folder of one name may be another folder on another machine. So the coordinator puts a secret
there, each worker reads it and puts an answer beside it, and the coordinator reads that.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from exmc_dask.errors import StoreError
from exmc_dask.store.objects import objects_at

from ..plan.moves import WorkerRefused
from ..plan.words import no_package, refusal

_TRY_S = 20.0  # for a worker to read and write a few bytes
_FOLDER = "exmc/probes"


class Reach:
    """The store of a run as its workers see it.

    Parameters
    ----------
    client : distributed.Client
    place : str
        The same for all: an absolute path or a URL.
    """

    def __init__(self, client: Any, place: str) -> None:
        self._client, self._place = client, place
        self._objects = objects_at(place)
        self._name = f"{_FOLDER}/{secrets.token_hex(8)}"
        self._secret = secrets.token_bytes(16)

    def open(self) -> None:
        """Put the secret there.

        Raises
        ------
        StoreError
            It cannot be written.
        """
        try:
            self._objects.put(self._name, self._secret)
        except Exception as error:  # of whatever file system it is
            raise StoreError(
                f"store={self._place!r} cannot be written, so it cannot be tried whether workers "
                f"reach it: {type(error).__name__}: {error}"
            ) from error

    def close(self) -> None:
        """Delete it; what is left is deleted with the next run of this store."""
        with contextlib.suppress(Exception):
            self._objects.delete(self._name)

    async def refusals(self, workers: Sequence[str]) -> list[WorkerRefused]:
        """Return the refusals of those that do not reach it; on the client's loop."""
        found = await asyncio.gather(*(self._try(worker) for worker in workers))
        return [refusal for refusal in found if refusal is not None]

    async def _try(self, worker: str) -> WorkerRefused | None:
        host = worker
        try:
            async with asyncio.timeout(_TRY_S):
                said = await self._client.run(
                    _exmc_reach, self._place, self._name, workers=[worker], asynchronous=True
                )
                host, seen, answer = said[worker]
                if seen != self._secret:
                    return self._refusal(worker, host, "finds nothing of this run there")
                if await asyncio.to_thread(self._objects.get, answer) != self._secret[::-1]:
                    return self._refusal(worker, host, "writes there, and nothing of it comes here")
                await asyncio.to_thread(self._objects.delete, answer)
        except ImportError as error:
            return no_package(worker, error)
        except TimeoutError:
            return self._refusal(worker, host, f"did not read or write there for {_TRY_S:g} s")
        except Exception as error:  # the worker's own
            return self._refusal(worker, host, f"cannot: {type(error).__name__}: {error}")
        return None

    def _refusal(self, worker: str, host: str, why: str) -> WorkerRefused:
        words = f"it is to write to the store {self._place}, and on {host} it {why}"
        return refusal(worker, words, store=True)


def _by_value() -> Callable[..., Any]:
    """Make the function that runs on workers; a local one, so that it is pickled by value."""

    async def exmc_reach(place: str, name: str) -> tuple[str, bytes | None, str]:
        import asyncio
        import secrets
        import socket

        def reach() -> tuple[bytes | None, str]:
            from exmc_dask.store.objects import objects_at

            objects = objects_at(place)
            seen = objects.get(name)
            answer = f"{name}-{secrets.token_hex(8)}"
            if seen is not None:
                objects.put(answer, seen[::-1])
            return seen, answer

        return socket.gethostname(), *await asyncio.to_thread(reach)

    return exmc_reach


_exmc_reach = _by_value()
