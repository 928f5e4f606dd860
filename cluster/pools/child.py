"""A process that runs blocks for its parent, which survives whatever they do.

``python -m exmc_dask.cluster.pools.child`` reads messages from its standard input and writes
answers to its standard output, each a length (u64, little-endian) and that many bytes of `wire`. It
ends when its input does, so it does not outlive its parent.
"""

import os
import queue
import signal
import struct
import sys
import threading
from typing import IO

from ..messages.wire import Stop, Task, pack, unpack
from ..worker import watch, worker

_LENGTH = struct.Struct("<Q")


def write_frame(pipe: IO[bytes], message: bytes) -> None:
    """Write one message."""
    pipe.write(_LENGTH.pack(len(message)))
    pipe.write(message)
    pipe.flush()


def read_frame(pipe: IO[bytes]) -> bytes | None:
    """Return the next message; None when there will be none."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    body = pipe.read(length)
    return body if len(body) == length else None


def main() -> None:
    """Serve the parent until it closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a model prints goes to the log, not between the answers
    tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, tasks), daemon=True).start()
    writing = threading.Lock()

    def send(message: bytes) -> None:
        with writing:
            write_frame(answers, message)

    while True:
        send(worker.serve(tasks.get(), lambda progress: send(pack(progress))))


def _listen(pipe: IO[bytes], tasks: "queue.SimpleQueue[Task]") -> None:
    while (message := read_frame(pipe)) is not None:
        order = unpack(message)
        if isinstance(order, Stop):
            watch.stop(order)
        else:
            tasks.put(order)
    os._exit(0)


if __name__ == "__main__":
    main()
