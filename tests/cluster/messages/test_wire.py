"""Records to bytes and back: the same bits, no pickle, and clear words for what is no message."""

import pickle

import numpy as np
import pytest

from exmc_dask import errors
from exmc_dask.cluster.messages.wire import Failure, Parcel, Task, digest, pack, unpack
from exmc_dask.cluster.plan.moves import HOME, BlockProgress, Fault
from exmc_dask.sampler.state import ChainState
from tests.cluster import toy

STATE = ChainState.blank(2, "fisher", "diag", 3, q=np.array([1.0, np.nan]), draw=7)


def task(**changes: object) -> Task:
    fields = dict(run="r", spec="s", unit=3, first=7, n=9, attempt=0, budget_s=0.25, every_s=1.0)
    fields |= dict(isolated=False, state=STATE, initial=None, parcels={"k": b"\x00\xff"})
    return Task(**(fields | changes))  # type: ignore[arg-type]


def test_a_task_comes_back_with_the_bits_of_its_state() -> None:
    back = unpack(pack(task(initial=np.arange(3.0))))

    assert (back.name, back.parcels, back.budget_s) == ("r-u3-d7-a0", {"k": b"\x00\xff"}, 0.25)
    assert back.state.f.tobytes() == STATE.f.tobytes()
    assert back.state.i.tobytes() == STATE.i.tobytes()
    assert back.initial.tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((0, 3)),
        np.array(2.5),
        np.arange(6, dtype=np.float32).reshape(2, 3).T,
        np.array([True, False]),
        np.array([-1, 2], np.int8),
        np.arange(3, dtype=">i4"),
    ],
    ids=str,
)
def test_arrays_keep_shape_kind_and_values_and_cannot_be_written(values: np.ndarray) -> None:
    back = unpack(pack(Parcel(values))).values

    assert (back.shape, back.dtype.kind) == (values.shape, values.dtype.kind)
    assert np.array_equal(back, values)
    assert back.flags.aligned
    assert not back.flags.writeable


def test_progress_is_a_plain_message() -> None:
    progress = BlockProgress(1, 2, 3, 2, 5, 6, 7, 0.5, 1.5)

    assert unpack(pack(progress)) == progress


@pytest.mark.parametrize("value", [object(), {1, 2}, np.array(["text"]), np.array([None])])
def test_what_has_no_place_in_a_message_is_refused(value: object) -> None:
    with pytest.raises(errors.FormatError, match="cannot be sent"):
        pack(value)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda m: b"", "not a message"),
        (lambda m: b"PK" + m[2:], "not a message"),
        (lambda m: m[:4] + b"\x63" + m[5:], "schema 99"),
        (lambda m: m[:-8], "damaged"),
        (lambda m: m[:40], "damaged"),
        (lambda m: pickle.dumps(STATE.q), "not a message"),
    ],
)
def test_damaged_bytes_are_said_to_be_so(damage: object, words: str) -> None:
    with pytest.raises(errors.FormatError, match=words):
        unpack(damage(pack(task())))  # type: ignore[operator]


def test_a_spec_is_named_by_all_that_it_holds_and_its_data_by_themselves() -> None:
    one, same, other = toy.spec(data=[1.0]), toy.spec(data=[1.0]), toy.spec(data=[2.0])

    assert one.key == same.key != other.key
    assert toy.spec(data=[1.0], draws=7).key != one.key
    assert one.parcels.keys() & toy.spec(data=[1.0], draws=7).parcels.keys()  # the data
    assert all(digest(parcel) == name for name, parcel in one.parcels.items())


@pytest.mark.parametrize(
    ("kind", "message", "error", "words"),
    [
        ("ValueError", "no", errors.BlockError, "chain 2, draw 5: ValueError: no"),
        ("BadStart", "chain 2 has no start", errors.BadStart, "^chain 2 has no start"),
        ("CompileError", "no rule", errors.CompileError, "chain 2, draw 5: no rule"),
        ("Any", "not an error", errors.BlockError, "Any: not an error"),
    ],
)
def test_a_failure_says_where_and_keeps_our_own_classes(
    kind: str, message: str, error: type[Exception], words: str
) -> None:
    event = Failure(2, 4, 0, Fault.RAISED.name, 5, kind, message, "trace").event(HOME)

    assert event.fault is Fault.RAISED
    with pytest.raises(error, match=words):
        raise event.error  # type: ignore[misc]
