"""Objects that are damaged, gone or from the future are named; none of them holds a pickle."""

import io
import json
import pickletools
import warnings
import zipfile
from collections.abc import Callable

import numpy as np
import pytest

from exmc_dask.errors import FormatError, StoreError
from exmc_dask.store.objects import Folder
from exmc_dask.store.stored import Stored
from exmc_dask.store.tail import archive, unarchive
from exmc_dask.store.view import open_tree
from tests.exmc_dask.store.story import Shelf
from tests.exmc_dask.store.test_store import THE

CHUNK, TAIL = "posterior/mu/c/1/2", "exmc/tails/000001.npz"
MANIFEST, OWNER, DATA = "exmc/manifest.json", "exmc/owner.json", "exmc/data.npz"
Change = Callable[[bytes], bytes | None]


@pytest.fixture(scope="module")
def written() -> list[tuple[str, bytes]]:
    objects = Shelf()
    THE.write(objects, THE.blocks(until=280), checkpoint_s=0.0)
    return [*objects.held.items()]


def flipped(content: bytes) -> bytes:
    """Change one bit in the middle."""
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def newer(content: bytes) -> bytes:
    return content.replace(b'"version": 1', b'"version": 7')


def later(content: bytes) -> bytes:
    """Give a tail another schema, as whole as the first."""
    about, arrays = unarchive(content, "a tail")
    return archive(about | {"version": 7}, arrays)


DAMAGE: list[tuple[str, Change, str]] = [
    (CHUNK, flipped, "put it back from a copy"),
    (CHUNK, lambda c: c[: len(c) // 2], "put it back from a copy"),
    (CHUNK, lambda _: b"", "put it back from a copy"),
    (CHUNK, lambda _: None, "it is gone"),
    (TAIL, flipped, "is damaged"),
    (TAIL, lambda c: c[: len(c) // 2], "is damaged"),
    (TAIL, lambda _: b"", "is damaged"),
    (TAIL, lambda _: b"not a tail", "is damaged"),
    (TAIL, later, "schema 7 and this release reads 1"),
    (MANIFEST, newer, "schema 7 and this release reads 1"),
    (MANIFEST, lambda c: c.replace(b'"tune": 100', b'"tune": 101'), "was changed after"),
    (MANIFEST, lambda c: c[:-20], "is damaged"),
    (MANIFEST, lambda _: b"[]", "is damaged"),
    (OWNER, lambda c: c.replace(b'"draws": 200', b'"draws": 900'), "was changed after"),
    (OWNER, newer, "schema 7 and this release reads 1"),
    (DATA, flipped, "is not what the manifest names"),
    (DATA, lambda _: None, "is gone"),
    ("exmc/model.msgpack", flipped, "is not what the manifest names"),
    ("zarr.json", lambda c: c[:-20], "is damaged"),
]


@pytest.mark.parametrize(("name", "change", "message"), DAMAGE)
def test_damage_is_named(name, change, message, written):
    objects = Shelf(written)
    changed = change(objects.held.pop(name))
    if changed is not None:
        objects.held[name] = changed

    with pytest.raises(FormatError, match=message) as caught:
        open_tree(Stored.read(objects)).load()
    assert f"shelf/{name}" in str(caught.value)


def test_a_lost_tail_costs_its_chain_only(written):
    objects = Shelf(written)
    del objects.held[TAIL]

    assert set(Stored.read(objects).tails) == {0}


def test_a_folder_of_something_else_is_no_store(tmp_path):
    (tmp_path / "zarr.json").write_text("{}")

    with pytest.raises(StoreError, match=r"holds no run: there is no exmc/manifest\.json"):
        Stored.read(Folder(tmp_path))


def test_there_is_no_pickle_in_a_store(written):
    kinds = set()
    for name, content in written:
        kinds.add(name.rpartition(".")[2] if "/c/" not in name else "chunk")
        if name.endswith(".json"):
            json.loads(content)
        elif name.endswith(".npz"):
            with zipfile.ZipFile(io.BytesIO(content)) as file:
                for member in file.namelist():
                    assert member.endswith(".npy")
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                assert not any(array.dtype.hasobject for array in arrays.values())
        with (
            warnings.catch_warnings(action="ignore"),  # of escapes, in bytes that are no text
            pytest.raises(ValueError),  # noqa: PT011 - whatever it says of what is no pickle
        ):
            list(pickletools.genops(content))
    assert kinds == {"json", "npz", "msgpack", "chunk"}
