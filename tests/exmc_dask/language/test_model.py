"""The record of a model: identity, travel, and bytes that are not one."""

import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from typing import Any

import msgpack
import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask.dist import Dist
from exmc_dask.errors import FormatError
from exmc_dask.expressions.ir import const, param
from exmc_dask.language.codec import MAGIC, VERSION
from exmc_dask.language.model import ModelSpec, Potential, is_name, is_slot_name
from exmc_dask.transforms import Transform, interval
from tests.exmc_dask.models import MODELS


def full() -> ed.Model:
    """Return a model with something of everything."""
    with ed.Model(coords={"school": range(3)}) as model:
        x = ed.Data("x", np.arange(6.0).reshape(3, 2))
        place = ed.Data("place", [0, 2, 1])
        mu = ed.Normal("mu", 0, 5)
        tau = ed.HalfNormal("tau", 5, transform="softplus")
        theta = ed.Normal("theta", mu, tau, dims="school")
        low = ed.Uniform("low", -1, mu, transform=interval(lower=-1.0, upper=mu))
        w = ed.Dirichlet("w", [1.0, 2.0])
        z = ed.Normal("z", 0, 1, shape=3)
        ed.Custom("c", mu, logp=lambda v, m: -ed.math.square(v - m), support="positive")
        ed.GaussianRandomWalk("g", 0, tau, init_dist=ed.Normal.dist(low, 1), shape=4)
        ed.Mixture("m", w, [ed.Poisson.dist(3), ed.Poisson.dist(9)], observed=[1, 5, 20])
        ed.Normal(
            "y", theta[place] + x @ np.ones(2), 1, observed=np.ones(3), weight=2.0,
            mask=[1, 0, 1], reduce="mean", dims="school",
        )  # fmt: skip
        ed.Deterministic("double", 2 * theta, dims="school")
        ed.Potential("bump", -low * low)
        model.observe("seen", 2 * z + 1, [1.0, 2.0, 3.0])
    return model


def forged(body: bytes) -> bytes:
    """Bytes with the hash that belongs to their content."""
    packed: bytes = msgpack.packb([MAGIC, VERSION, sha256(body).hexdigest(), body])
    return packed


def test_a_model_goes_there_and_back() -> None:
    spec = full().spec
    copy = ModelSpec.from_bytes(spec.to_bytes())

    assert copy == spec
    assert (copy.key, hash(copy), repr(copy)) == (spec.key, hash(spec), repr(spec))


@pytest.mark.parametrize("name", MODELS)
def test_every_model_goes_there_and_back(name: str) -> None:
    spec = MODELS[name]().spec

    assert ModelSpec.from_bytes(spec.to_bytes()) == spec


def test_the_key_is_the_same_in_every_process() -> None:
    code = "from tests.exmc_dask.language.test_model import full; print(full().spec.key)"
    found = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout

    assert found.strip() == full().spec.key


def test_no_number_of_the_user_is_in_the_bytes() -> None:
    with ed.Model() as model:
        ed.Normal("y", ed.Normal("mu", 0, 1), [7.25, 3.5], observed=[1234.5, 8.75])
    body = model.spec.to_bytes()

    assert not any(msgpack.packb(number) in body for number in (7.25, 3.5, 1234.5, 8.75))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"not a model",
        msgpack.packb({"a": 1}),
        msgpack.packb(["exmc-state", VERSION, "", b""]),
        msgpack.packb([MAGIC, VERSION + 1, "", b""]),
        msgpack.packb([MAGIC, VERSION, "", "text"]),
        full().spec.to_bytes()[:-1],
        full().spec.to_bytes() + b"\x00",
        forged(b""),
        forged(msgpack.packb({})),
    ],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        ModelSpec.from_bytes(data)


def test_a_flipped_bit_is_noticed() -> None:
    data = full().spec.to_bytes()
    for place in range(0, len(data), 29):
        damaged = bytearray(data)
        damaged[place] ^= 1
        with pytest.raises(FormatError):
            ModelSpec.from_bytes(bytes(damaged))


def test_a_forged_body_is_a_model_or_refused() -> None:
    rng = np.random.default_rng(5)
    body = msgpack.unpackb(full().spec.to_bytes())[3]
    refused = 0
    for _ in range(400):
        damaged = bytearray(body)
        for place in rng.integers(len(body), size=3):
            damaged[place] = rng.integers(256)
        try:
            ModelSpec.from_bytes(forged(bytes(damaged)))
        except FormatError:
            refused += 1

    assert refused > 100


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"double", b"d uble"),
        (b"school", b"scho l"),
        (b"theta", b"__xxx"),
        (b"low", b"tau"),
        (b"place", b"pl ce"),
        (b"Dirichlet", b"Dirichlex"),
        (b"log_exp_m1", b"log_exp_m0"),
    ],
)
def test_names_that_no_model_has_are_refused(old: bytes, new: bytes) -> None:
    body = msgpack.unpackb(full().spec.to_bytes())[3]
    assert old in body
    with pytest.raises(FormatError):
        ModelSpec.from_bytes(forged(body.replace(old, new)))


@pytest.mark.parametrize(
    "broken",
    [
        replace(full().spec, slots=()),
        replace(full().spec, variables=full().spec.variables[1:]),
        replace(full().spec, potentials=(Potential("p", param("mu", ())),)),
    ],
)
def test_leaves_that_are_not_declared_are_refused(broken: ModelSpec) -> None:
    with pytest.raises(FormatError):
        ModelSpec.from_bytes(broken.to_bytes())


@pytest.mark.parametrize(
    "broken",
    [
        {"transform": Transform("interval", (const(0.0),))},
        {"transform": Transform("sum_to_zero", (param("mu", ()),))},
        {"dist": Dist("LKJCorr", (("n", full().spec["mu"].node), ("eta", const(1.0))))},
        {"dist": Dist("LKJCorr", (("eta", const(1.0)),))},
        {"dist": Dist("Truncated", (("dist", Dist("Truncatednormal", ())),))},
    ],
)
def test_sizes_and_bounds_that_no_model_has_are_refused(broken: dict[str, Any]) -> None:
    spec = full().spec
    variables = (replace(spec.variables[0], **broken), *spec.variables[1:])
    with pytest.raises(FormatError):
        ModelSpec.from_bytes(replace(spec, variables=variables).to_bytes())


def test_names() -> None:
    assert all(map(is_name, ["mu", "mu_1", "μ", "_x"]))
    assert not any(map(is_name, ["", "1x", "a b", "a.b", "__x", "x;import os", 3, None]))
    assert all(map(is_slot_name, ["x", "y.mu", "y.mu.2"]))
    assert not any(map(is_slot_name, ["y.", ".y", "y.mu.x", "y.2", "y.mu.2.3", "y mu", 3]))
