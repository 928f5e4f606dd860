"""Models that leave their process with their data."""

import copy
import pickle
from collections.abc import Callable

import msgpack
import numpy as np
import pytest

import exmc_dask as ed
from benchmarks.models.examples import EXAMPLES
from exmc_dask.errors import FormatError, FrozenError, OptionError


def small() -> ed.Model:
    days = np.array(["2026-01-01", "2026-01-02"], "datetime64[D]")
    with ed.Model(coords={"place": ["A", "B"], "day": days}) as model:
        X = ed.Data("X", np.ones((2, 2)), dims=("day", "place"), dtype="float32")
        beta = ed.Normal("beta", 0, [1.0, 2.0], dims="place")
        ed.Poisson("n", ed.math.exp(X @ beta), observed=[3, 4], dims="day")
    return model


WAYS: dict[str, Callable[[ed.Model], ed.Model]] = {
    "bytes": lambda model: ed.Model.from_bytes(model.to_bytes()),
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "copy": copy.copy,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.filterwarnings("ignore::exmc_dask.warned.ImputationWarning")
def test_a_model_comes_back_as_it_was(way: str) -> None:
    for model in (small(), *(example.model() for example in EXAMPLES.values())):
        found = WAYS[way](model)

        assert found.spec == model.spec
        assert repr(found) == repr(model)
        for held, wanted in ((found.data, model.data), (found.coords, model.coords)):
            assert held.keys() == wanted.keys()
            for name, array in wanted.items():
                np.testing.assert_array_equal(held[name], array)
                assert held[name].dtype == array.dtype
        assert found.to_bytes() == model.to_bytes()


@pytest.mark.parametrize("way", WAYS)
def test_what_comes_back_is_closed_and_takes_other_data(way: str) -> None:
    model = WAYS[way](small())

    with pytest.raises(FrozenError), model:
        ed.Normal("more", 0, 1)
    model.set_data({"X": np.ones((3, 2)), "n.observed": [1, 2, 3]}, coords={"day": [1, 2, 3]})
    assert model.data["X"].dtype == np.float32
    assert np.isfinite(model.logp({"beta": [0.1, 0.2]}))


def test_a_flipped_bit_is_noticed() -> None:
    data = small().to_bytes()
    for place in range(0, len(data), 29):
        damaged = bytearray(data)
        damaged[place] ^= 1
        with pytest.raises(FormatError):
            ed.Model.from_bytes(bytes(damaged))


def forged(**parts: object) -> bytes:
    from hashlib import sha256

    magic, version, _, body = msgpack.unpackb(small().to_bytes())
    body = msgpack.packb(msgpack.unpackb(body) | parts)
    return msgpack.packb([magic, version, sha256(body).hexdigest(), body])


X = ["<f4", [2, 2], bytes(16)]
SIGMA, N = ["<f8", [2], bytes(16)], ["<i8", [2], bytes(16)]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no model with its data"),
        (small().spec.to_bytes(), "'exmc-model' version 1 is not 'exmc-model-with-data'"),
        (forged(spec=b"x"), "not a model"),
        (forged(data={}), "slots .* are"),
        (forged(data={"X": X, "beta.sigma": SIGMA, "n.observed": SIGMA}), "'n.observed' does not"),
        (forged(data={"X": X, "beta.sigma": N, "n.observed": ["|O", [2], bytes(16)]}), "type"),
        (forged(data={"X": ["<f4", [3, 2], bytes(16)], "beta.sigma": SIGMA, "n.observed": N}), "3"),
        (forged(coords={"day": ["<i8", [2, 1], bytes(16)]}), "'day' are no list"),
    ],
)
def test_other_bytes_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        ed.Model.from_bytes(data)


def test_mixed_labels_are_named() -> None:
    with ed.Model(coords={"place": np.array(["A", 1], object)}) as model:
        ed.Normal("x", 0, 1, dims="place")

    with pytest.raises(OptionError, match="coordinates of 'place' are a mixture"):
        model.to_bytes()
