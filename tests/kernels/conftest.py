"""A runtime with one known defect put back: how tests prove that they would notice it."""

from collections.abc import Callable
from types import ModuleType

import pytest

from exmc_dask.kernels import build

Mutant = Callable[[str, str, str], ModuleType]


@pytest.fixture
def mutant(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Mutant:
    """Return ``mutate(file, old, new)``: the runtime package with exactly one text replaced."""

    def mutate(file: str, old: str, new: str) -> ModuleType:
        texts = build.sources()
        assert texts[file].count(old) == 1
        monkeypatch.setenv("EXMC_CACHE_DIR", str(tmp_path_factory.mktemp("cache") / "exmc"))
        return build.runtime(texts | {file: texts[file].replace(old, new)})

    return mutate
