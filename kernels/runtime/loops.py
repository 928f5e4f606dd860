"""What every emitted loop stands on: arrays without the check for negative indices.

In Python a negative index counts from the end. LLVM cannot know that there is none in
``a[offset + i]`` or ``a[index[i]]``, and leaves a loop over them scalar. Loops over
``view(a, offset)[i]`` and ``at(a, index[i])`` run on whole registers.

Nor can it know that a store into one argument leaves the others as they are; `Distinct` says so.
`add_at` adds elements that follow each other in one place before it stores them.
"""

from typing import Any

from numba import njit, types
from numba.core import cgutils
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array


@intrinsic
def view(typing_context, array, start):  # type: ignore[no-untyped-def]
    """Return ``array[start:]`` of a contiguous array, without a check and without a cost."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = signature.args[0]
        whole = context.make_array(kind)(context, builder, args[0])
        rest = context.make_array(kind)(context, builder)
        item_size = context.get_constant(types.intp, kind.dtype.bitwidth // 8)
        populate_array(
            rest,
            data=builder.gep(whole.data, [args[1]]),
            shape=[builder.sub(cgutils.unpack_tuple(builder, whole.shape, 1)[0], args[1])],
            strides=[item_size],
            itemsize=item_size,
            meminfo=None,
            parent=None,
        )
        return rest._getvalue()

    return array(array, types.int64), emit


@intrinsic
def borrowed(typing_context, array):  # type: ignore[no-untyped-def]
    """Return an array that is not counted as a reference to its memory.

    For arguments, which outlive the call: numba counts them up and down wherever they are passed
    on or a row of them is taken, and each time is an atomic instruction that holds up all others.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = signature.args[0]
        whole = context.make_array(kind)(context, builder, args[0])
        same = context.make_array(kind)(context, builder)
        populate_array(
            same,
            data=whole.data,
            shape=whole.shape,
            strides=whole.strides,
            itemsize=whole.itemsize,
            meminfo=None,
            parent=None,
        )
        return same._getvalue()

    return array(array), emit


@intrinsic
def at(typing_context, array, place):  # type: ignore[no-untyped-def]
    """Return ``array[place]`` of a contiguous array, without a check."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        whole = context.make_array(signature.args[0])(context, builder, args[0])
        return builder.load(builder.gep(whole.data, [args[1]]))

    return array.dtype(array, types.int64), emit


@njit(error_model="numpy", fastmath={"contract"}, nogil=True)
def add_at(values, places, n, out):  # type: ignore[no-untyped-def]
    """Add the first `n` of `values` to the elements of `out` at `places`.

    Neighbours with one place are added up before they are stored: a store and a load of the same
    element, again and again, would take ten times as long as the addition.
    """
    if n <= 0:
        return
    here, total = places[0], 0.0
    for i in range(n):
        if places[i] != here:
            out[here] += total
            here, total = places[i], 0.0
        total += values[i]
    out[here] += total


class Distinct(CompilerBase):  # type: ignore[misc]
    """Compiler of a function whose array arguments do not overlap."""

    def define_pipelines(self) -> list[Any]:
        """Return numba's own passes, with the flag set that its decorators do not offer."""
        self.state.flags.noalias = True
        return [DefaultPassBuilder.define_nopython_pipeline(self.state)]
