"""Pods of the rendered chart under podman, which needs root and runc but no cluster.

podman plays manifests almost as Kubernetes does. What it lacks `playable` puts right: it has no
Services, so pods go by the name that the Service would have; it publishes container ports on the
host; it leaves $(POD_NAME) in command lines; its probes ask for curl in the image.
"""

import copy
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.helm.chart import ROOT, Pod, Release

TOOLS = ("podman", "runc", "debootstrap", "tar")
BASE, IMAGE, NETWORK = "localhost/exmc-base", "localhost/exmc-dask:0.1.0", "exmc-test"
USER = 10001  # of the image
SUITE = "trixie"  # Debian 13 has Python 3.13
SETTINGS = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[network]
network_backend = "netavark"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
FRAMEWORK = ("startupProbe", "readinessProbe", "livenessProbe", "ports")
WAIT_S = 120.0


def lacking() -> str:
    """Say what keeps podman from being used here; an empty string when nothing does."""
    if os.geteuid() != 0:
        return "it needs root"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"{', '.join(missing)} not installed" if missing else ""


def podman(*words: str, check: bool = True, timeout_s: float = 1800.0) -> str:
    """Run podman and return what it prints on both outputs."""
    done = subprocess.run(
        ["podman", *words],
        env=os.environ | {"CONTAINERS_CONF": str(_settings())},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0 or not check, f"podman {words}:\n{done.stdout[-4000:]}"
    return done.stdout


def _settings() -> Path:
    path = Path(tempfile.gettempdir(), "exmc-containers.conf")
    path.write_text(SETTINGS)
    return path


def build() -> None:
    """Build the CPU image on a base of Debian's own packages."""
    if "exmc-base" not in podman("images", "--format", "{{.Repository}}"):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder, "root")
            include = "--include=python3,python3-venv,ca-certificates"
            make = ["debootstrap", "--variant=minbase", include, SUITE, str(root)]
            subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
            archive = Path(folder, "root.tar")
            subprocess.run(["tar", "-C", str(root), "-cf", str(archive), "."], check=True)
            podman("import", str(archive), BASE)
    with tempfile.TemporaryDirectory() as folder:
        podman(
            *("build", "--network", "host", "--file", "helm/docker/Dockerfile", "--target", "cpu"),
            *("--build-arg", f"BASE={BASE}", "--tag", IMAGE, *_pip_as_here(folder), str(ROOT)),
        )


def _pip_as_here(folder: str) -> Iterator[str]:
    """Let pip in the build trust what pip here trusts."""
    trusted = os.environ.get("PIP_CERT", "/etc/ssl/certs/ca-certificates.crt")
    settings = Path(folder, "pip.conf")
    settings.write_text("[global]\ncert = /trusted.crt\n")
    yield from (
        "--volume",
        f"{trusted}:/trusted.crt:ro",
        "--volume",
        f"{settings}:/etc/pip.conf:ro",
    )


def playable(pod: Pod, number: int, replicas: int) -> dict[str, Any]:
    """Return one pod of a Deployment, Job or hook as podman plays it."""
    name = pod.name if replicas == 1 else f"{pod.name}-{number}"
    spec = copy.deepcopy(dict(pod.spec))
    (container,) = spec["containers"]
    for key in FRAMEWORK:
        container.pop(key, None)
    container["args"] = [word.replace("$(POD_NAME)", name) for word in container["args"]]
    metadata = {"name": name, "labels": dict(pod.labels)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@dataclass(frozen=True)
class Stage:
    """A release that is played."""

    release: Release

    def play(self, component: str) -> list[str]:
        """Start the pods of a component and return the names of their containers."""
        started = []
        for pod in self.release.pods():
            if pod.component == component:
                replicas = 2 if component == "worker" else 1
                for number in range(replicas):
                    one = playable(pod, number, replicas)
                    started.append(f"{one['metadata']['name']}-{pod.container['name']}")
                    self._play(pod, one)
        return started

    def _play(self, pod: Pod, one: Mapping[str, Any]) -> None:
        wanted = {v["configMap"]["name"] for v in pod.spec["volumes"] if "configMap" in v}
        maps = [m for m in self.release.of("ConfigMap") if m["metadata"]["name"] in wanted]
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump_all([*maps, one], file)
            file.flush()
            podman("kube", "play", "--network", NETWORK, file.name)


def address(container: str) -> str:
    """Return the address that a container has in the network."""
    pod = podman("inspect", container, "--format", "{{.Pod}}").strip()
    infra = json.loads(podman("pod", "inspect", pod))["InfraContainerID"]
    networks = json.loads(podman("inspect", infra))[0]["NetworkSettings"]["Networks"]
    return str(networks[NETWORK]["IPAddress"])


def ended(container: str) -> int:
    """Wait for a container to end and return its exit code."""
    return int(podman("wait", container, timeout_s=WAIT_S).splitlines()[-1])


def says(container: str, words: str, wait_s: float = WAIT_S) -> str:
    """Wait until a container has said something, and return all that it has said."""
    until = time.monotonic() + wait_s
    while words not in (said := podman("logs", container)):
        assert time.monotonic() < until, f"{container} never said {words!r}:\n{said[-2000:]}"
        time.sleep(0.1)
    return said


def claim(name: str) -> None:
    """Make a volume that the image's user may write, as fsGroup does for a claim."""
    podman("volume", "rm", "--force", name, check=False)
    podman("volume", "create", name)
    os.chown(_mounted(name), USER, USER)


def _mounted(volume: str) -> Path:
    return Path(podman("volume", "inspect", volume, "--format", "{{.Mountpoint}}").strip())


def appears(volume: str, pattern: str, wait_s: float = WAIT_S) -> Path:
    """Wait for a file on a volume and return its path there."""
    root, until = _mounted(volume), time.monotonic() + wait_s
    while not (found := list(root.glob(pattern))):
        assert time.monotonic() < until, f"no {pattern}: {list(root.rglob('*'))[:50]}"
        time.sleep(0.1)
    return found[0].relative_to(root)


def clear() -> None:
    """Remove what was played, and nothing else."""
    names = podman("pod", "ps", "--format", "{{.Name}}").split()
    for name in names:
        if name.startswith("rel-exmc-dask-"):
            podman("pod", "rm", "--force", "--time", "0", name)
