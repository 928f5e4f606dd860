"""From a log-density to machine code: readable source, named by its hash, compiled once.

``compile`` puts the graph into normal form and finds its loops (``analysis``), writes them in the
words of a target (``codegen``) and builds the text (`build`) beside the ``runtime``, which has the
sampler too. ``Kernel.bind`` lays the data of a run out as the text reads them. ``cuda`` is all of
that for a GPU.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy.typing as npt

from exmc_dask.errors import CompileError
from exmc_dask.lowering.density import LogDensity

from .build import load
from .codegen.bind import Bound
from .codegen.cost import Cost
from .codegen.program import Program, write

__all__ = ["Bound", "Cost", "Kernel", "compile"]


@dataclass(frozen=True)
class Kernel:
    """A log-density as machine code.

    Attributes
    ----------
    key : str
        sha256 of `source`.
    target : str
        ``"cpu"``.
    source : str
        The emitted text.
    dim : int
        Length of the unconstrained vector.
    logp_grad : numba dispatcher
        ``(q, grad, data, data32, index, work) -> logp``; writes `grad`.
    expand : numba dispatcher
        ``(q, out, data, data32, index, work)``; writes the outputs of one draw.
    """

    key: str
    target: str
    source: str
    dim: int
    logp_grad: Any
    expand: Any
    program: Program = field(repr=False)
    density: LogDensity = field(repr=False)

    def bind(self, data: Mapping[str, npt.NDArray[Any]]) -> Bound:
        """Lay the arrays of a run, as ``LogDensity.fold`` returned them, out for the kernel.

        Raises
        ------
        DataError, ShapeError
            See `Storage.bind`.
        """
        lengths = self.density.axis_lengths(data)
        return self.program.storage.bind(
            data, lengths, [output.shape for output in self.density.outputs]
        )

    def cost(self, data: Mapping[str, npt.NDArray[Any]]) -> Cost:
        """Count what one gradient costs for data of these lengths; takes what `bind` takes."""
        return self.program.count.at(self.program.storage.numbers(self.density.axis_lengths(data)))


def compile(density: LogDensity, target: str = "cpu") -> Kernel:
    """Compile a log-density; at once where that was done before, in this process or another.

    Raises
    ------
    CompileError
        The target does not exist, or an operation cannot be translated for it.
    """
    if target != "cpu":
        raise CompileError(f"target '{target}' does not exist; use 'cpu'")
    return _compile(density, target)


@lru_cache(maxsize=64)
def _compile(density: LogDensity, target: str) -> Kernel:
    program = write(density)
    module = load(program.source)
    return Kernel(
        key=hashlib.sha256(program.source.encode()).hexdigest(),
        target=target,
        source=program.source,
        dim=density.layout.dim,
        logp_grad=module.logp_grad,
        expand=module.expand,
        program=program,
        density=density,
    )
