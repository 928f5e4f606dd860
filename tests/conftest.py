"""Options and fixtures that every test may use."""

import signal
from collections.abc import Callable
from types import ModuleType

import pytest

Mutant = Callable[[str, str, str], ModuleType]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--runslow", action="store_true", help="also run the tests marked slow")
    parser.addoption("--runpods", action="store_true", help="also run the tests marked pods")
    parser.addoption("--update-golden", action="store_true", help="accept emitted text as it is")


def pytest_configure() -> None:
    """Heed Ctrl-C as at a terminal: a shell starts what runs in its background with it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what an option has to ask for."""
    unasked = [name for name in ("slow", "pods") if not config.getoption(f"--run{name}")]
    left_out = {item for item in items if any(map(item.get_closest_marker, unasked))}
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=list(left_out))


@pytest.fixture
def mutant(pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> Mutant:
    """Return ``mutate(file, old, new)``: the runtime package with exactly one text replaced.

    A known defect is put back to prove that a test would notice it. What was compiled stays in
    pytest's own cache, away from that of the package.
    """
    from exmc_dask.kernels import build

    def mutate(file: str, old: str, new: str) -> ModuleType:
        texts = build.sources()
        assert texts[file].count(old) == 1
        monkeypatch.setenv("EXMC_CACHE_DIR", str(pytestconfig.cache.mkdir("mutants")))
        return build.runtime(texts | {file: texts[file].replace(old, new)})

    return mutate
