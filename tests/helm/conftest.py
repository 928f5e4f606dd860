"""What the tests of the chart share."""

from collections.abc import Iterator

import pytest

from tests.helm import chart


@pytest.fixture(scope="session", autouse=True)
def _helm_ends() -> Iterator[None]:
    yield
    chart.stop_helm()
