"""The image and the chart's pods, run for real by podman: `make test-pods`."""

import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helm import podman
from tests.helm.chart import render

pytestmark = [
    pytest.mark.pods,
    pytest.mark.skipif(bool(podman.lacking()), reason=f"no podman here: {podman.lacking()}"),
]
HERE = Path(__file__).parent
FILES = {name: (HERE / name).read_text() for name in ("pod_client.py", "pod_model.py")}
JOB = {"enabled": True, "model": "pod_model.py:model", "files": FILES, "seed": 1, "draws": 2000}
CLAIM = "rel-exmc-dask-coordinator"


@pytest.fixture(scope="module", autouse=True)
def _image() -> Iterator[None]:
    podman.build()
    podman.podman("network", "create", podman.NETWORK, check=False)
    podman.clear()
    podman.claim(CLAIM)
    yield
    podman.clear()
    podman.podman("volume", "rm", "--force", CLAIM)
    podman.podman("network", "rm", podman.NETWORK, check=False)


@pytest.fixture
def stage() -> Iterator[podman.Stage]:
    """Scheduler and workers of the chart's default values, with this image."""
    values = {"image": {"repository": "localhost/exmc-dask"}, "coordinator": JOB}
    staged = podman.Stage(render(values))
    yield staged
    podman.clear()


def client(*words: str, wait: bool = True) -> str:
    """Run the client in a fresh container, as pods run: what it says, or the container's name."""
    name = "exmc-client"
    podman.podman("rm", "--force", "--ignore", name)
    podman.podman(
        *("run", "--detach", "--name", name, "--network", podman.NETWORK),
        *("--read-only", "--tmpfs", "/tmp:mode=1777", "--cap-drop", "all"),
        *("--env", "HOME=/tmp", "--env", "EXMC_CACHE_DIR=/tmp/exmc-dask"),
        *("--volume", f"{HERE}:/client:ro", "--volume", f"{CLAIM}:/checkpoints"),
        *(podman.IMAGE, "python", "/client/pod_client.py", *words),
    )
    if not wait:
        return name
    assert podman.ended(name) == 0, podman.podman("logs", name)
    return podman.podman("logs", name)


def drawn(said: str) -> str:
    found = re.search(r"^drew (\w+)", said, re.MULTILINE)
    assert found, said
    return found[1]


@pytest.fixture(scope="module")
def undisturbed(_image) -> str:
    return drawn(client("threads"))


def test_the_image_is_slim_and_nobody_is_root():
    size = int(podman.podman("image", "inspect", podman.IMAGE, "--format", "{{.Size}}"))
    who = podman.podman("run", "--rm", "--read-only", podman.IMAGE, "id", "-u")

    print(f"image: {size / 1e6:.0f} MB")
    assert size < 950e6
    assert who.splitlines()[-1] == "10001"


def test_the_first_draw_of_a_fresh_pod_comes_fast():
    said = client("first")

    print(said)
    found = re.search(r"small model: first draw after ([\d.]+) s", said)
    assert found
    assert float(found[1]) < 3.0


def test_a_release_samples_and_shows_itself(stage):
    (scheduler,) = stage.play("scheduler")
    stage.play("worker")
    (test,) = stage.play("test")

    assert podman.ended(test) == 0, podman.podman("logs", test)
    assert "2 workers" in podman.podman("logs", test)
    for path in ("/health", "/status", "/exmc", "/exmc.json", "/metrics"):
        url = f"http://{podman.address(scheduler)}:8787{path}"
        with urllib.request.urlopen(url, timeout=20) as page:
            assert page.status == 200


@pytest.mark.parametrize("trouble", ["kill", "pause"])
def test_a_lost_worker_changes_no_draw(stage, undisturbed, trouble):
    stage.play("scheduler")
    first, _ = stage.play("worker")
    name = client("tcp://rel-exmc-dask-scheduler:8786", wait=False)
    podman.says(name, "under way")
    podman.podman(trouble, first)
    assert podman.ended(name) == 0
    said = podman.podman("logs", name)

    print(said)
    assert drawn(said) == undisturbed
    assert "tried 0 times more" not in said


def test_a_coordinator_that_is_replaced_goes_on(stage, undisturbed):
    stage.play("scheduler")
    stage.play("worker")
    (job,) = stage.play("coordinator")
    store = podman.appears(CLAIM, "run-*.zarr/exmc/tails/*")
    podman.podman("pod", "rm", "--force", "--time", "0", job.removesuffix("-coordinator"))
    (job,) = stage.play("coordinator")
    assert podman.ended(job) == 0, podman.podman("logs", job)

    print(podman.podman("logs", job)[-2000:])
    assert drawn(client(f"/checkpoints/{store.parts[0]}")) == undisturbed
