"""The errors a user can meet, one tree under ``ExmcError``.

Every message has three parts: what went wrong, in the user's own variable name; where (operation,
shape, chain, draw); what to do about it.

::

    ExmcError
    ├── ModelError                the declaration cannot be what was meant
    │   ├── UnknownName           a name that no variable, data slot or coordinate has
    │   ├── DuplicateName         a name used twice
    │   ├── ShapeError            shapes that do not fit together
    │   ├── SupportError          a value outside the support of its distribution
    │   ├── DataError             NaN, wrong type or missing values in data
    │   ├── DiscreteError         a free discrete variable, which NUTS cannot move
    │   ├── TraceError            a Python function that could not be turned into an expression
    │   └── FrozenError           a declaration after the model was closed
    ├── FormatError               bytes that are not a model, state or block of this version
    ├── OptionError               an option that does not exist or has an impossible value
    ├── CompileError              the compiler met something it cannot translate
    ├── SamplingError
    │   ├── BadStart              no finite starting point
    │   └── DeviceFull            chains that do not fit into the memory of a GPU
    ├── StoreError                a store that cannot be used: not there, not empty, not writable
    │   └── StoreTaken            another process has resumed the run
    └── ClusterError
        ├── ClusterMismatch       workers lack the package or run other versions
        ├── ClusterStartError     a cluster of ours did not come up
        ├── ClientError           a client that is closed or asynchronous, or no connection
        ├── BlockError            a block raised in Python; names chain and draw
        ├── GpuError              GPUs that failed, or none is left
        └── PoisonModelError      the model kills every process that runs it
"""

import math
from typing import Any


class ExmcError(Exception):
    """Root of every error raised on purpose by this package.

    Attributes
    ----------
    partial : DataTree, optional
        What `exmc_dask.sample` had drawn when it was raised.
    """

    partial: Any = None


class ModelError(ExmcError):
    """The declaration cannot be what was meant."""


class UnknownName(ModelError):
    """A name that no variable, data slot or coordinate has."""


class DuplicateName(ModelError):
    """A name used twice."""


class ShapeError(ModelError):
    """Shapes that do not fit together."""


class SupportError(ModelError):
    """A value outside the support of its distribution."""


class DataError(ModelError):
    """NaN, wrong type or missing values in data."""


class DiscreteError(ModelError):
    """A free discrete variable, which NUTS cannot move."""


class TraceError(ModelError):
    """A Python function that could not be turned into an expression."""


class FrozenError(ModelError):
    """A declaration after the model was closed."""


class FormatError(ExmcError):
    """Bytes that are not a model, state or block of this version."""


class OptionError(ExmcError):
    """An option that does not exist or has an impossible value."""


class CompileError(ExmcError):
    """The compiler met something it cannot translate."""


class SamplingError(ExmcError):
    """Sampling cannot go on."""


class BadStart(SamplingError):
    """No finite starting point was found.

    Attributes
    ----------
    q, grad : (dim,) float64, optional
        The last point that was tried, unconstrained, and its gradient.
    logp : float
        Its log-density.
    """

    def __init__(
        self, message: str, q: Any = None, grad: Any = None, logp: float = math.nan
    ) -> None:
        super().__init__(message)
        self.q, self.grad, self.logp = q, grad, logp


class DeviceFull(SamplingError):
    """Chains that do not fit into the memory of a GPU."""


class StoreError(ExmcError):
    """A store that cannot be used: not there, not empty, not writable."""


class StoreTaken(StoreError):
    """Another process has resumed the run that this one was writing."""


class ClusterError(ExmcError):
    """The cluster cannot do what was asked."""


class ClusterMismatch(ClusterError):
    """Workers lack the package or run other versions."""


class ClusterStartError(ClusterError):
    """A cluster of ours did not come up."""


class ClientError(ClusterError):
    """A client that is closed or asynchronous, or a scheduler that cannot be reached."""


class BlockError(ClusterError):
    """A block raised in Python; the message names chain and draw."""


class GpuError(ClusterError):
    """A GPU failed, or none is left that can be used."""


class PoisonModelError(ClusterError):
    """The model kills every process that runs it."""
