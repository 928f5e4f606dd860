"""A block inside a Dask worker: what it hears of the scheduler, and the child it may run in."""

from math import nan

from dask.typing import Key
from distributed import Worker, get_worker

from ..messages.wire import Failure, Missing, Task, pack, unpack
from ..plan.moves import BlockProgress, Fault, Stage
from ..worker import quarantine, worker
from ..worker.watch import Report
from .child_pool import Child


def answer(message: bytes, topic: str) -> bytes:
    """Run the task in a message and return the answer, as `worker.serve` does.

    Parameters
    ----------
    message : bytes
        A packed Task.
    topic : str
        Where to report progress.
    """
    task: Task = unpack(message)
    here = get_worker()
    key = here.get_current_task()
    report = _reporter(here, topic, task.run)
    if not task.isolated:
        return worker.serve(task, report, lambda: _wanted(here, key))
    worker.install(task.parcels)
    lacking = worker.lacking(task.spec)
    if lacking:
        return pack(Missing(task.unit, task.first, task.attempt, lacking))
    child = Child(worker.parcels)
    began = BlockProgress(task.unit, task.first, task.attempt, int(Stage.STARTED), 0, 0, 0, nan, 0)
    report(began)  # the child would take a second to say so
    try:
        found = child.run(task, report, lambda: _wanted(here, key))
        failure = unpack(found)
        if isinstance(failure, Failure) and failure.fault == Fault.DEVICE.name:
            quarantine.remember(failure.message)  # the child's memory ends with it
        return found
    finally:
        child.close()


def _reporter(here: Worker, topic: str, run: str) -> Report:
    def report(progress: BlockProgress) -> None:
        here.log_event(topic, {"run": run, "body": pack(progress)})

    return report


def _wanted(here: Worker, key: Key) -> bool:
    """Tell whether the scheduler still wants a task that runs here.

    Dask has no public word for it; where its private one is not what it was, the block runs on.
    """
    try:
        state = here.state.tasks.get(key)
        leaving = here.status.name not in ("running", "paused")
        return not (leaving or state is None or state.state == "cancelled")
    except AttributeError:
        return True
