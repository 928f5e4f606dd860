"""What the plan says, in words: notes for those who watch, and errors that are not a block's."""

from collections.abc import Collection, Mapping

from exmc_dask.errors import ClusterMismatch, GpuError, StoreError

from .asks import Options
from .ledger import Chain
from .moves import BlockResult, Note, Trouble, WorkerJoined, WorkerRefused
from .rally import Rally


def out_of_time(options: Options) -> Note:
    """Say that the run has had its time."""
    return Note(Trouble.TIME, f"the run ends after {options.max_time_s:g} s")


def at_home(options: Options) -> Note:
    """Say that the coordinator helps itself."""
    what = "the coordinator runs the blocks itself, in child processes"
    words = f"no worker for {options.grace_s:g} s: {what}, until a worker joins"
    return Note(Trouble.FALLBACK, words)


def refused(worker: str, why: str) -> Note:
    """Say that a worker is given no work."""
    return Note(Trouble.WORKER_REFUSED, why, worker=worker)


def refusal(worker: str, why: str, *, store: bool = False) -> WorkerRefused:
    """Return the event of a worker that cannot be used; `store` as `WorkerRefused` has it."""
    return WorkerRefused(worker, f"worker {worker} is not used: {why}", store)


def no_package(worker: str, error: ImportError) -> WorkerRefused:
    """Return the event of a worker that lacks the package, or what it needs."""
    return refusal(worker, f"it cannot import the package: {error}")


def lost(worker: str, expected: bool) -> Note:
    """Say that a worker is gone."""
    how = "left" if expected else "died"
    return Note(Trouble.WORKER_LOST, f"worker {worker} {how}", worker=worker)


def hung(chain: Chain, worker: str, *, stuck: bool) -> Note:
    """Say that a block which had begun is run again elsewhere."""
    why = f"gets no further with {chain.name}" if stuck else "is not heard of"
    return _about(chain, Trouble.WORKER_HUNG, f"worker {worker} {why}", worker)


def result_lost(chain: Chain, worker: str, message: str) -> Note:
    """Say that a block's answer did not arrive."""
    return _about(chain, Trouble.RESULT_LOST, message, worker)


def child_died(chain: Chain, worker: str, message: str) -> Note:
    """Say that the process died which a block had to itself."""
    return _about(chain, Trouble.CHILD_DIED, message, worker)


def gpu_failed(chain: Chain, worker: str, message: str) -> Note:
    """Say that a worker's GPU is given nothing any more."""
    words = f"the GPU of worker {worker} is not used any more{until_restart(message)}"
    return _about(chain, Trouble.GPU_FAILED, words, worker)


def known_broken(worker: str, message: str) -> Note:
    """Say that a worker's GPU is given nothing, as it failed in an earlier run."""
    words = f"the GPU of worker {worker} is not used, as in an earlier run{until_restart(message)}"
    return Note(Trouble.GPU_FAILED, words, worker=worker)


def until_restart(message: str) -> str:
    """Say what is wrong with a GPU, and what would mend it."""
    return f": {message}; it is given nothing until that worker is started anew"


def other_class(worker: WorkerJoined, kept: str) -> Note:
    """Say that workers of a CPU class are given no work."""
    words = (
        f"worker {worker.worker} is not used, nor are others of its CPU class {worker.kind}: the "
        f"run keeps to class {kept}, as the last bits of draws differ between classes; "
        "EXMC_CPU=x86-64-v3 in the environment of all workers makes them one class"
    )
    return Note(Trouble.OTHER_CLASS, words, worker=worker.worker)


def turned(before: str, now: str, options: Options) -> Note:
    """Say that the run goes on with workers of another CPU class."""
    words = (
        f"no worker of CPU class {before} for {options.grace_s:g} s: the run goes on with those of "
        f"class {now}; {_as_good('draw')} class"
    )
    return Note(Trouble.FALLBACK, words)


def relieved(rally: Rally) -> Note:
    """Say that the run leaves CPUs, and from where on."""
    words = (
        f"worker {rally.by} has a GPU that works: when all chains are at draw {rally.at}, the run "
        "goes on with GPUs"
    )
    return Note(Trouble.GPU, words, worker=rally.by)


def other_fingerprint(chain: Chain, worker: str, result: BlockResult) -> Note:
    """Say that a chain goes on where it makes other bits."""
    how = under_another(result.fingerprint, chain.fingerprint)
    words = goes_on(chain.does("goes", "go"), result.first, how, chain.words.step)
    return _about(chain, Trouble.FINGERPRINT, words, worker)


def goes_on(who: str, first: int, how: str, step: str = "draw") -> str:
    """Say from which step on somebody, "chain 0 goes", makes other bits."""
    return f"{who} on from {step} {first} {how}; {_as_good(step)}"


def under_another(now: str, before: str) -> str:
    """Say how chains go on that change fingerprints."""
    return f"under another fingerprint ({now} after {before})"


def dropped(chain: Chain, error: Exception) -> Note:
    """Say that the run goes on without a chain."""
    return _about(chain, Trouble.DROPPED, f"{chain.does('is', 'are')} dropped: {error}")


def unmet(wanting: str) -> Note:
    """Say that all draws are there, and do not suffice."""
    words = f"the run ends with all its draws, and until= is not reached: {wanting}"
    return Note(Trouble.UNMET, words)


def failed(error: Exception) -> Note:
    """Say that the run ends by an error."""
    return Note(Trouble.FAILED, str(error))


def mismatch(refused: Collection[WorkerRefused]) -> ClusterMismatch | StoreError:
    """Return what ends a run all of whose workers were refused."""
    why = "; ".join(event.why for event in refused)
    if all(event.store for event in refused):
        return StoreError(
            f"no worker reaches the store, to which store_writers='workers' has it write: {why}. "
            "Give store= a folder that all machines share under one path, or a URL such as "
            "s3://bucket/run.zarr; or leave store_writers= out, and draws are sent to this process"
        )
    return ClusterMismatch(f"no worker can run this model: {why}. Install the same versions there")


def no_gpu(options: Options, troubles: Mapping[str, str]) -> GpuError:
    """Return what ends a run that has no GPU left; what was wrong, by worker."""
    whose = "; ".join(f"{worker}: {why}" for worker, why in troubles.items())
    return GpuError(
        "no worker with a GPU that works is left"
        + (f" ({whose})" if whose else f", for {options.grace_s:g} s")
        + "; start others, or use target='auto', which goes on with CPUs"
    )


def _as_good(step: str) -> str:
    return f"{step}s are as good, but not bit for bit those of a run under one"


def _about(chain: Chain, kind: Trouble, message: str, worker: str | None = None) -> Note:
    return Note(kind, message, chain.unit, worker, chain.next)
