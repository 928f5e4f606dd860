"""How arrays of the user are kept: in which dtype, and how often."""

import pickle
import tracemalloc
from typing import Any

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask.cluster.messages.wire import Parcel, Spec, digest, pack, unpack
from exmc_dask.errors import DataError, OptionError
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.ir import make
from exmc_dask.expressions.matrices import TALL
from exmc_dask.expressions.ops import Op
from exmc_dask.language.model import ModelSpec
from exmc_dask.lowering.density import lower

RNG = np.random.default_rng(3)
X = RNG.normal(size=(40, 3))
Y = RNG.normal(size=40)


def regression(x: Any = X, dtype: Any = "float32", y: Any = Y) -> ed.Model:
    with ed.Model() as model:
        b = ed.Normal("b", 0, 1, shape=x.shape[1])
        ed.Normal("y", ed.Data("X", x, dtype=dtype) @ b, 1.0, observed=y)
    return model


@pytest.mark.parametrize(
    ("value", "dtype", "kept"),
    [
        (X, None, np.float64),
        (X.astype(np.float32), None, np.float64),
        (X, "float32", np.float32),
        (X, np.float32, np.float32),
        (X.astype(np.float32), "float64", np.float64),
        (np.arange(6).reshape(2, 3), None, np.int64),
        (np.arange(6).reshape(2, 3), "float32", np.float32),
        (np.arange(6).reshape(2, 3), np.dtype("float64"), np.float64),
        ([[True, False, True]], "float32", np.float32),
    ],
)
def test_float32_only_where_it_is_asked_for(value: Any, dtype: Any, kept: type) -> None:
    with ed.Model() as model:
        node = ed.Data("X", value, dtype=dtype)
    array = model.data["X"]

    assert array.dtype == kept
    assert not array.flags.writeable
    assert node.dtype == ("int64" if kept is np.int64 else "float64")
    np.testing.assert_array_equal(array, np.asarray(value).astype(kept))


@pytest.mark.parametrize("dtype", ["int64", "float16", "nonsense", bool, 32])
def test_another_dtype_is_refused(dtype: Any) -> None:
    with ed.Model(), pytest.raises(OptionError, match=r"'X': dtype=.*'float32' or 'float64'"):
        ed.Data("X", X, dtype=dtype)


def test_numbers_beyond_float32_are_refused_and_infinite_ones_kept() -> None:
    with ed.Model() as model:
        ed.Data("far", [1.0, np.inf], dtype="float32")
        with pytest.raises(DataError, match=r"'X' holds a number at \[0, 1\] .* float32"):
            ed.Data("X", [[1.0, 1e39], [np.inf, 2.0]], dtype="float32")
        with pytest.raises(DataError, match=r"'X' is NaN at \[1\]"):
            ed.Data("X", [1.0, np.nan], dtype="float32")

    assert list(model.data) == ["far"]
    assert model.data["far"][1] == np.inf


def test_exchanged_data_are_kept_in_float32_too() -> None:
    model = regression()
    model.set_data({"X": np.ones((5, 3), int), "y.observed": np.zeros(5)})
    assert model.data["X"].dtype == np.float32

    with pytest.raises(DataError, match="beyond float32"):
        model.set_data({"X": np.full((5, 3), 1e200)})
    assert model.data["X"].shape == (5, 3)


def test_the_record_says_float32_and_travels() -> None:
    model = regression()
    again = ModelSpec.from_bytes(model.spec.to_bytes())
    copy = pickle.loads(pickle.dumps(model))
    built = (
        ed.Builder()
        .data("X", X, dtype="float32")
        .rv("b", ed.Normal, 0, 1, shape=3)
        .rv("eta", ed.Normal, lambda X, b: X @ b, 1.0)
        .obs("y", "eta", Y)
        .build()
    )

    assert again == model.spec
    assert again.key != regression(dtype=None).spec.key
    assert {slot.name: slot.dtype for slot in again.slots}["X"] == "float32"
    assert copy.data["X"].dtype == np.float32
    assert built.spec == model.spec
    assert "float32" in model.explain()


def test_it_is_sent_and_folded_as_it_is_kept() -> None:
    model = regression()
    density = lower(model.spec, sufficient=False)
    data = density.fold(model.data)
    parcel = pack(Parcel(data["X"]))
    back = unpack(parcel).values

    assert np.shares_memory(data["X"], model.data["X"])
    assert len(parcel) < 4 * X.size + 100
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, X.astype(np.float32))


def test_the_interpreter_calculates_in_float64() -> None:
    single, rounded = regression(), regression(X.astype(np.float32), None)
    b = RNG.normal(size=3)

    assert single.logp({"b": b}) == rounded.logp({"b": b})
    traces = [ed.sample_prior_predictive(m, draws=7, random_seed=1) for m in (single, rounded)]
    one, other = (trace.prior_predictive["y"].values for trace in traces)
    assert one.dtype == np.float64
    np.testing.assert_array_equal(one, other)


def test_draws_are_those_of_the_rounded_data() -> None:
    options: dict[str, Any] = {
        "draws": 50,
        "tune": 100,
        "chains": 1,
        "random_seed": 2,
        "progressbar": False,
    }
    models = regression(), regression(X.astype(np.float32), None)
    one, other = (ed.sample(m, **options, compute_convergence_checks=False) for m in models)

    np.testing.assert_allclose(one.posterior["b"], other.posterior["b"], rtol=1e-6)
    assert one.constant_data["X"].dtype == np.float32


def peak(call: Any) -> int:
    """Bytes that a call allocates at most at one time, its result included."""
    tracemalloc.start()
    result = call()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del result
    return most


LARGE = RNG.normal(size=(8 * TALL, 6))


@pytest.mark.parametrize("dtype", [None, "float32"])
def test_an_array_is_copied_once_when_it_is_declared(dtype: str | None) -> None:
    def declare() -> ed.Model:
        with ed.Model() as model:
            ed.Data("X", LARGE, dtype=dtype)
        return model

    assert peak(declare) < 1.1 * (LARGE.nbytes if dtype is None else LARGE.nbytes // 2)


def test_an_array_in_an_expression_is_copied_once() -> None:
    def declare() -> ed.Model:
        with ed.Model() as model:
            ed.Potential("p", (LARGE @ ed.Normal("b", 0, 1, shape=6)).sum())
        return model

    assert peak(declare) < 1.1 * LARGE.nbytes


@pytest.mark.parametrize("dtype", [None, "float32"])
def test_the_triangle_of_large_data_is_made_in_little_memory(dtype: str | None) -> None:
    model = regression(LARGE, dtype, LARGE[:, 0])
    density = lower(model.spec)

    assert peak(lambda: density.fold(model.data)) < 0.6 * LARGE.nbytes


def test_a_product_with_float32_is_made_in_little_memory() -> None:
    x = LARGE.astype(np.float32)
    leaf = make(Op.DATA, (), "X", ("X.0", 6), "float64")
    b = make(Op.PARAM, (), "b", (6,), "float64")
    (value,) = evaluate([leaf @ b], {leaf: x, b: np.ones(6)})

    assert peak(lambda: evaluate([leaf @ b], {leaf: x, b: np.ones(6)})) < 0.7 * LARGE.nbytes
    np.testing.assert_allclose(value, x.astype(np.float64).sum(1), rtol=1e-12, atol=1e-12)


def test_a_spec_is_named_without_a_copy_of_its_data() -> None:
    spec = Spec(b"", {}, {}, "cpu", {"X": LARGE}, np.zeros(3))
    assert peak(lambda: spec.key) < 0.2 * LARGE.nbytes

    *data, (key, order) = spec.parcels.items()
    assert key == spec.key == digest(order)
    assert all(name == digest(parcel) for name, parcel in data)
