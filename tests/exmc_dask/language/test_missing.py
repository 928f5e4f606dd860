"""Missing entries of observed values: found, numbered, filled."""

import numpy as np
import pytest

from exmc_dask.errors import DataError
from exmc_dask.language.missing import find, split
from exmc_dask.language.model import LEFT_OUT, SEEN

NAN = np.nan
MASKED = np.ma.masked_array([4, 5, 6], mask=[False, True, False])


@pytest.mark.parametrize(
    ("value", "missing"),
    [
        ([1.0, NAN, 2.0], [False, True, False]),
        ([[1.0, NAN], [NAN, 2.0]], [[False, True], [True, False]]),
        (MASKED, [False, True, False]),
        (np.ma.masked_array([1.0, NAN, 3.0], mask=[True, False, False]), [True, True, False]),
        (np.ma.masked_array([1.0, 2.0]), [False, False]),
        ([1, 2], [False, False]),
        (3.0, False),
    ],
)
def test_nan_and_masked_entries_are_missing(value: object, missing: object) -> None:
    np.testing.assert_array_equal(find("y", value)[1], missing)


@pytest.mark.parametrize("value", [[NAN, NAN], NAN, np.ma.masked_all(2)])
def test_nothing_is_no_observation(value: object) -> None:
    with pytest.raises(DataError, match="'y': all observed values are missing"):
        find("y", value)


def test_what_is_not_numeric_is_named() -> None:
    with pytest.raises(DataError, match=r"'y': .* not numeric"):
        find("y", ["a", None])


def parts(array: object, counted: object, n_event: int = 0) -> tuple[np.ndarray, np.ndarray]:
    values, missing = find("y", array)
    found = split(values, missing, np.broadcast_to(np.asarray(counted), values.shape), n_event)
    return found.values, found.places


def test_missing_entries_that_count_are_numbered_row_by_row() -> None:
    values, places = parts([[1.0, NAN], [NAN, 2.0]], True)

    np.testing.assert_array_equal(places, [[SEEN, 0], [1, SEEN]])
    np.testing.assert_array_equal(values, [[1.0, 1.0], [1.0, 2.0]])


def test_what_a_mask_leaves_out_is_not_asked_for() -> None:
    values, places = parts([NAN, NAN, 3.0, 4.0], [True, False, False, True])

    np.testing.assert_array_equal(places, [0, LEFT_OUT, SEEN, SEEN])
    np.testing.assert_array_equal(values, [3.0, 3.0, 3.0, 4.0])


def test_whole_numbers_stay_whole_unless_some_are_imputed() -> None:
    assert parts(MASKED, [True, False, True])[0].dtype == np.int64
    assert parts(MASKED, True)[0].dtype == np.float64


def test_a_vector_that_does_not_count_is_left_out_as_a_whole() -> None:
    shares = [[0.2, NAN], [NAN, NAN], [0.3, 0.7]]
    values, places = parts(shares, [[False], [False], [True]], n_event=1)

    np.testing.assert_array_equal(values, [[0.3, 0.7]] * 3)
    np.testing.assert_array_equal(places, [[LEFT_OUT] * 2, [LEFT_OUT] * 2, [SEEN] * 2])


def test_a_vector_that_counts_keeps_what_was_seen_of_it() -> None:
    values, places = parts([[1.0, NAN], [2.0, NAN]], True, n_event=1)

    np.testing.assert_array_equal(places, [[SEEN, 0], [SEEN, 1]])
    np.testing.assert_array_equal(values[:, 0], [1.0, 2.0])
    assert np.isfinite(values).all()
