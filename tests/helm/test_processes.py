"""The chart's command lines, environment and probes, by real processes on the loopback.

What a container would find under /tmp and /etc stands in a folder of the test, ports are free ones,
and kernels are those of all tests; all else is as rendered.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import yaml
from distributed import Client
from distributed.security import Security

from exmc_dask.cluster.clusters.certificates import write_certificates
from exmc_dask.kernels.cache import cache_root
from tests.helm.chart import CHART, Pod, rendered

WAIT_S = 60.0


class Host:
    """Processes that run as the pods of a release would."""

    def __init__(self, case: str, root: Path) -> None:
        self.release, self.root = rendered(case), root
        self.ports = {port: _free_port() for port in (8786, 8787, 8788, 8789, 8790)}
        self.started: list[subprocess.Popen[bytes]] = []
        (config,) = (
            m for m in self.release.of("ConfigMap") if m["metadata"]["name"][-4:] == "dask"
        )
        (root / "etc").mkdir()
        for name, text in config["data"].items():
            (root / "etc" / name).write_text(text)
        write_certificates(root / "tls")

    def pod(self, component: str) -> Pod:
        return next(pod for pod in self.release.pods() if pod.component == component)

    def here(self, word: str) -> str:
        """Return a word of a command line or environment with this machine's paths and ports."""
        word = word.replace("rel-exmc-dask-scheduler", "127.0.0.1").replace("$(POD_NAME)", "pod")
        for place, folder in (("/etc/exmc-dask/tls", "tls"), ("/tmp", ".")):
            if word.startswith(place):
                word = f"{self.root / folder}{word.removeprefix(place)}"
                break
        for port, free in self.ports.items():
            word = word.replace(str(port), str(free))
        return word

    def environment(self, pod: Pod) -> dict[str, str]:
        said = {
            one["name"]: self.here(one["value"]) for one in pod.container["env"] if "value" in one
        }
        ours = {"DASK_CONFIG": str(self.root / "etc"), "EXMC_CACHE_DIR": str(cache_root())}
        return os.environ | said | ours

    def start(self, component: str) -> None:
        """Start the process of a component and wait until its probe is content."""
        pod = self.pod(component)
        words = [self.here(word) for word in pod.words]
        program = [str(Path(sys.executable).with_name(words[0])), *words[1:]]
        self.started.append(subprocess.Popen(program, env=self.environment(pod), cwd=self.root))
        probe = pod.container["readinessProbe"]["httpGet"]
        port = self.ports[pod.port(probe["port"])]
        _answers(f"http://127.0.0.1:{port}{probe['path']}")

    def stop(self) -> Sequence[int]:
        """Ask all to end, as Kubernetes does, and return their exit codes."""
        for process in self.started[::-1]:
            process.terminate()
        return [process.wait(timeout=WAIT_S) for process in self.started]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _answers(url: str) -> None:
    until = time.monotonic() + WAIT_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as page:
                assert page.read() == b"ok"
                return
        except OSError:
            assert time.monotonic() < until, f"{url} never answered"
            time.sleep(0.1)


@pytest.fixture(params=["default", "hardened"])
def host(request, tmp_path: Path) -> Iterator[Host]:
    host = Host(request.param, tmp_path)
    yield host
    for process in host.started:
        process.kill()
        process.wait()


def test_a_release_starts_samples_and_ends(host):
    host.start("scheduler")
    host.start("worker")
    test = host.pod("test")
    address, timeout_s = host.here(test.words[2]), test.words[3]
    done = subprocess.run(
        [sys.executable, str(CHART / "files" / "sample.py"), address, timeout_s],
        env=host.environment(test),
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    assert done.returncode == 0, done.stderr
    assert "1 workers" in done.stdout

    security = None
    if address.startswith("tls"):
        files = {"tls_ca_file": "ca.crt", "tls_client_cert": "tls.crt", "tls_client_key": "tls.key"}
        paths = {name: str(host.root / "tls" / file) for name, file in files.items()}
        security = Security(require_encryption=True, **paths)
        with pytest.raises(OSError, match=r"ConnectionReset|Timed out"):
            Client(address.replace("tls:", "tcp:"), timeout=2)
    with Client(address, security=security) as client:
        config = client.run_on_scheduler(lambda: __import__("dask").config.config)
        (worker,) = client.scheduler_info()["workers"].values()

    assert config["distributed"]["scheduler"]["worker-ttl"] == "60s"
    assert worker["name"] == "pod"
    assert worker["nthreads"] == 1
    assert worker["memory_limit"] == 2 * 2**30
    assert host.stop() == [0, 0]


def test_what_helm_tests_is_what_the_chart_ships():
    (shown,) = (
        one
        for one in rendered("default").of("ConfigMap")
        if one["metadata"]["name"] == "rel-exmc-dask-test"
    )

    assert shown["data"]["sample.py"].strip() == (CHART / "files" / "sample.py").read_text().strip()
    assert yaml.safe_load((CHART / "values.yaml").read_text())["test"]["timeout"] == 120
