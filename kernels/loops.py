"""What every emitted loop stands on: a stretch of an array, addressed from zero.

A loop over ``a[offset + i]`` stays scalar, because a negative index would count from the end and
LLVM cannot know that there is none. A loop over ``view(a, offset)[i]`` runs on whole registers.
"""

from typing import Any

from numba import types
from numba.core import cgutils
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
