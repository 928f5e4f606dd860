"""The machine that runs PTX on the CPU computes what PTX says, and finds what it is there for."""

from typing import Any

import numpy as np
import pytest

from tests.kernels.machine.device import COMPILER, Machine, Trouble

pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")

_HEAD = ".version 8.0\n.target sm_90\n.address_size 64\n"
_LANES = 4
_GROUP = """
    and.b32 %r8, %r0, 28;
    mov.u32 %r9, 15;
    shl.b32 %r9, %r9, %r8;
"""
"""Sets %r9 to the mask of a group of four lanes."""


def kernel(body: str) -> str:
    """Return an entry point of one array of 64-bit words: %rd0 is where it begins, %r0 the lane."""
    return f"""{_HEAD}
.global .align 8 .b8 table[8] = {{1, 0, 0, 0, 0, 0, 0, 0}};
.shared .align 8 .b8 tile[256];
.visible .entry run(
    .param .u64 run_param_0,
    .param .u64 run_param_1,
    .param .u64 run_param_2,
    .param .u64 run_param_3,
    .param .u64 run_param_4,
    .param .u64 run_param_5,
    .param .u64 run_param_6
)
{{
    .local .align 8 .b8 depot[16];
    .reg .pred %p<9>;
    .reg .b32 %r<99>;
    .reg .f32 %f<9>;
    .reg .f64 %fd<9>;
    .reg .b64 %rd<99>;
    ld.param.u64 %rd0, [run_param_4];
    mov.u32 %r0, %tid.x;
    mul.wide.u32 %rd1, %r0, 8;
    add.s64 %rd2, %rd0, %rd1;
{body}
    ret;
}}
"""


def run(body: str, words: Any, block: int = 8, *, written: bool = True) -> np.ndarray:
    """Run an entry point on a block, and return its array."""
    machine = Machine.of({"run": kernel(body)}, _LANES, block=block)
    array = machine.put(np.array(words)) if written else machine.empty((len(words),), np.int64)
    machine.launch("run", block // _LANES, array)
    return array


U64 = 2**64
COMPUTED = {  # what one thread writes to word 0, given words 1 and 2
    "mul.hi.s64": (
        "mul.hi.s64 %rd9, %rd5, %rd6;",
        *(-(2**62) - 3, 2**61 + 7, lambda a, b: a * b >> 64),
    ),
    "mul.hi.u64": ("mul.hi.u64 %rd9, %rd5, %rd6;", U64 - 5, U64 - 9, lambda a, b: a * b >> 64),
    "mul.wide.s32": (
        "cvt.u32.u64 %r5, %rd5; cvt.u32.u64 %r6, %rd6; mul.wide.s32 %rd9, %r5, %r6;",
        *(-(2**31), 2**31 - 1, lambda a, b: a * b),
    ),
    "div.s64": ("div.s64 %rd9, %rd5, %rd6;", -7, 2, lambda a, b: -3),
    "rem.s64": ("rem.s64 %rd9, %rd5, %rd6;", -7, 2, lambda a, b: -1),
    "shr.s64 too far": ("cvt.u32.u64 %r6, %rd6; shr.s64 %rd9, %rd5, %r6;", -9, 70, lambda a, b: -1),
    "shr.u64 too far": ("cvt.u32.u64 %r6, %rd6; shr.u64 %rd9, %rd5, %r6;", -9, 70, lambda a, b: 0),
    "shl.b64 too far": ("cvt.u32.u64 %r6, %rd6; shl.b64 %rd9, %rd5, %r6;", -9, 64, lambda a, b: 0),
    "bfi.b64": (
        "bfi.b64 %rd9, %rd5, %rd6, 32, 32;",
        *(0x1122334455667788, 0x99AABBCC, lambda a, b: (a << 32 | b) % U64),
    ),
    "clz.b64": ("clz.b64 %r5, %rd5; cvt.u64.u32 %rd9, %r5;", 2**40, 0, lambda a, b: 23),
    "carries": (
        "{\n.reg .u32 a0, a1, b0, b1;\nmov.b64 {a0,a1}, %rd5;\nmov.b64 {b0,b1}, %rd6;\n"
        "add.cc.u32 a0, a0, b0;\naddc.u32 a1, a1, b1;\nmov.b64 %rd9, {a0,a1};\n}",
        *(2**63 + 2**32 - 1, 2**40 + 5, lambda a, b: a + b),
    ),
    "borrows": (
        "{\n.reg .u32 a0, a1, b0, b1;\nmov.b64 {a0,a1}, %rd5;\nmov.b64 {b0,b1}, %rd6;\n"
        "sub.cc.u32 a0, a0, b0;\nsubc.u32 a1, a1, b1;\nmov.b64 %rd9, {a0,a1};\n}",
        *(2**40, 2**32 + 5, lambda a, b: a - b),
    ),
    "cvt saturates": (
        "mov.f64 %fd1, 0d7FE0000000000000; cvt.rzi.s64.f64 %rd9, %fd1;",
        *(0, 0, lambda a, b: 2**63 - 1),
    ),
    "rounds to even": (
        "mov.f64 %fd1, 0d4004000000000000; cvt.rni.s32.f64 %r5, %fd1; cvt.s64.s32 %rd9, %r5;",
        *(0, 0, lambda a, b: 2),
    ),
    "unordered": (
        "mov.f64 %fd1, 0d7FF8000000000000; setp.ltu.f64 %p1, %fd1, %fd1; setp.lt.f64 %p2, %fd1,"
        " %fd1; selp.u64 %rd5, 1, 0, %p1; selp.u64 %rd6, 2, 0, %p2; add.s64 %rd9, %rd5, %rd6;",
        *(0, 0, lambda a, b: 1),
    ),
    "fused": (  # (1 + e)(1 - e) - 1 = -e^2, which is lost if the product is rounded
        "mov.f64 %fd1, 0d3FF0000000000001; mov.f64 %fd2, 0d3FEFFFFFFFFFFFFE;"
        " fma.rn.f64 %fd3, %fd1, %fd2, 0dBFF0000000000000; mov.b64 %rd9, %fd3;",
        *(0, 0, lambda a, b: int(np.float64(-(2.0**-104)).view(np.int64))),
    ),
    "a table": ("mov.u64 %rd5, table; ld.global.nc.u64 %rd9, [%rd5];", 0, 0, lambda a, b: 1),
    "local memory": (
        "mov.u64 %rd7, depot; st.local.v2.u64 [%rd7], {%rd5, %rd6}; ld.u64 %rd9, [%rd7+8];",
        *(3, 4, lambda a, b: b),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPUTED)
def test_an_instruction_gives_what_the_manual_says(name: str) -> None:
    text, a, b, result = COMPUTED[name]
    inputs = np.array([0, a % U64, b % U64], np.uint64).view(np.int64)
    body = "ld.global.u64 %rd5, [%rd0+8]; ld.global.u64 %rd6, [%rd0+16]; " + text
    body = body.replace("; ", ";\n") + "\nst.global.u64 [%rd0], %rd9;"

    assert int(run(body, inputs)[0]) % U64 == result(a, b) % U64


def test_a_shuffle_hands_values_over() -> None:
    body = _GROUP + "shfl.sync.bfly.b32 %r1|%p1, %r0, 2, 31, %r9;\ncvt.u64.u32 %rd5, %r1;\n"

    found = run(body + "st.global.u64 [%rd2], %rd5;", np.zeros(8, np.int64))

    assert found.tolist() == [2, 3, 0, 1, 6, 7, 4, 5]


_PASS_ON = """
    cvt.u64.u32 %rd5, %r0;
    st.{space}.u64 [{mine}], %rd5;
    {barrier}
    xor.b32 %r1, %r0, {other};
    mul.wide.u32 %rd6, %r1, 8;
    add.s64 %rd7, {base}, %rd6;
    ld.{space}.u64 %rd8, [%rd7];
    {barrier}
    st.global.u64 [%rd2], %rd8;
"""
_WARP = _GROUP + "bar.warp.sync %r9;"
_TILE = "mov.u64 %rd20, tile;\nadd.s64 %rd21, %rd20, %rd1;\n"
GLOBAL = {"space": "global", "mine": "%rd2", "base": "%rd0"}
SHARED = {"space": "shared", "mine": "%rd21", "base": "%rd20"}
PASSED = {
    "a group": _PASS_ON.format(**GLOBAL, barrier=_WARP, other=1),
    "a block": _TILE + _PASS_ON.format(**SHARED, barrier="bar.sync 0;", other=7),
}


@pytest.mark.parametrize("name", PASSED)
def test_a_barrier_lets_threads_pass_values_on(name: str) -> None:
    found = run(PASSED[name], np.full(8, -1))

    assert found.tolist() == [k ^ (1 if name == "a group" else 7) for k in range(8)]


AGREED = _GROUP + "mov.u64 %rd5, 7;\nst.global.u64 [%rd0], %rd5;\n"


def test_all_lanes_may_write_the_same_and_each_may_read_what_it_wrote() -> None:
    found = run(AGREED + "ld.global.u64 %rd6, [%rd0];\nst.global.u64 [%rd0+8], %rd6;", [0, 0], 4)

    assert found.tolist() == [7, 7]


FOUND = {
    "behind the end": ("st.global.u64 [%rd2+8], %rd1;", "writes 8 bytes that are not its own"),
    "misaligned": ("ld.global.u64 %rd5, [%rd2+4];", "misaligned"),
    "a vector misaligned": ("ld.global.v2.u64 {%rd5, %rd6}, [%rd0+8];", "misaligned"),
    "a constant": ("mov.u64 %rd5, table;\nst.global.u64 [%rd5], %rd1;", "writes to a constant"),
    "of another space": ("ld.shared.u64 %rd5, [%rd0];", "not its own"),
    "behind local memory": ("mov.u64 %rd7, depot;\nst.local.u64 [%rd7+16], %rd1;", "not its own"),
    "no barrier": (_PASS_ON.format(**GLOBAL, barrier="", other=1), "no barrier between"),
    "a shuffle is no barrier": (
        _GROUP + _PASS_ON.format(
            **GLOBAL, barrier="shfl.sync.bfly.b32 %r1|%p1, %r0, 2, 31, %r9;", other=1
        ),
        "no barrier between",
    ),
    "a barrier of the group for the block": (
        _PASS_ON.format(**GLOBAL, barrier=_WARP, other=7),
        "no barrier between",
    ),
    "no barrier in shared memory": (
        _TILE + _PASS_ON.format(**SHARED, barrier=_WARP, other=7),
        "shared memory, which (another thread (wrote|read) with no barrier|nothing wrote)",
    ),
    "shared memory as it came": (_TILE + "ld.shared.u64 %rd5, [%rd21];", "which nothing wrote"),
    "not for ever": (
        "st.global.u64 [%rd2], %rd1;\nld.global.nc.u64 %rd5, [%rd2];",
        "never changes, and it was written",
    ),
    "one writes on": (
        AGREED + "setp.eq.s32 %p1, %r0, 0;\nmov.u64 %rd6, 8;\n@%p1 st.global.u64 [%rd0], %rd6;",
        "which another thread wrote with no barrier",
    ),
    "a mask of others": ("mov.u32 %r9, 255;\nbar.warp.sync %r9;", "waits under mask ff"),
    "a lane that ended": (
        _GROUP + "setp.eq.s32 %p1, %r0, 2;\n@%p1 ret;\nbar.warp.sync %r9;", "which has ended"
    ),
    "a thread that ended": ("setp.eq.s32 %p1, %r0, 2;\n@%p1 ret;\nbar.sync 0;", "2 has ended"),
    "different things": (
        _GROUP + "setp.eq.s32 %p1, %r0, 2;\n@%p1 bra $L_1;\nbar.warp.sync %r9;\nret;\n$L_1:\n"
        "shfl.sync.bfly.b32 %r1|%p2, %r0, 2, 31, %r9;",
        "waits elsewhere",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
def test_what_is_no_error_on_some_schedule_is_found(name: str) -> None:
    body, words = FOUND[name]

    with pytest.raises(Trouble, match=words):
        run(body, np.arange(100, 108))


def test_what_nothing_wrote_is_not_read() -> None:
    with pytest.raises(Trouble, match="reads word 0 of array 0, which nothing wrote"):
        run("ld.global.u64 %rd5, [%rd0];", np.zeros(8), written=False)


def test_blocks_share_nothing() -> None:
    machine = Machine.of({"run": kernel("st.global.u64 [%rd0], %rd9;\nmov.u32 %r5, %ctaid.x;\n"
                                        "cvt.u64.u32 %rd5, %r5;\nst.global.u64 [%rd0], %rd5;")},
                         _LANES, block=32)  # fmt: skip

    with pytest.raises(Trouble, match="no barrier between"):
        machine.launch("run", 16, machine.put(np.zeros(1, np.int64)))


def test_an_unknown_instruction_is_named() -> None:
    with pytest.raises(Exception, match=r"line \d+: tex.1d"):
        run("tex.1d.v4.f32.s32 %f1, %r1;", [0])
