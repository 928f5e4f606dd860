"""The chart as the tests see it: rendered by Helm itself, read back as records."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "exmc-dask"
CASES = {p.name.removesuffix("-values.yaml"): p for p in sorted(CHART.glob("ci/*-values.yaml"))}
VERSIONS = ("1.29", "1.31", "1.33", "1.37")
"""Of Kubernetes: the oldest the chart takes, two between, the newest whose schemas are known."""

EXTENSIONS = ("cert-manager.io/v1", "monitoring.coreos.com/v1")
ACCOUNT = "/api/v1/namespaces/exmc/serviceaccounts/default"
SECRET = "/api/v1/namespaces/exmc/secrets/exmc-dask-certs"
PRESENT: dict[str, Any] = {
    ACCOUNT: {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}},
    SECRET: {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "exmc-dask-certs"},
        "data": {"ca.crt": "", "tls.crt": "", "tls.key": ""},
    },
}
"""What a cluster holds before the chart comes."""


@dataclass(frozen=True)
class Pod:
    """What a Deployment, a Job or a hook lets run."""

    kind: str
    name: str
    labels: Mapping[str, str]
    spec: Mapping[str, Any]

    @property
    def container(self) -> Any:
        (only,) = self.spec["containers"]
        return only

    @property
    def component(self) -> str:
        return self.labels["app.kubernetes.io/component"]

    @property
    def words(self) -> Sequence[str]:
        """The command line."""
        return [str(word) for word in self.container["args"]]

    def option(self, name: str) -> str:
        """What the command line says for an option."""
        return self.words[self.words.index(name) + 1]

    def port(self, name: str) -> int:
        return int(next(p["containerPort"] for p in self.container["ports"] if p["name"] == name))


@dataclass(frozen=True)
class Release:
    """What Helm made of the chart and some values."""

    objects: Sequence[Mapping[str, Any]]
    notes: str

    def of(self, kind: str) -> Sequence[Any]:
        return [one for one in self.objects if one["kind"] == kind]

    def pods(self) -> Iterator[Pod]:
        """All pods, of hooks too."""
        for one in self.objects:
            name = one["metadata"]["name"]
            if one["kind"] == "Pod":
                yield Pod("Pod", name, one["metadata"]["labels"], one["spec"])
            elif one["kind"] in ("Deployment", "Job"):
                template = one["spec"]["template"]
                yield Pod(one["kind"], name, template["metadata"]["labels"], template["spec"])


def needs(package: str) -> Any:
    """Return a package that has wheels for Linux only, or skip the test."""
    return pytest.importorskip(package, reason=f"no {package}: pip install -e '.[test]' on Linux")


@cache
def _helm() -> "subprocess.Popen[str]":
    needs("helm_sdkpy")
    command = [sys.executable, "-m", "tests.helm.helm_process"]
    environment = os.environ | {"HELM_DRIVER": "memory"}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True)


def stop_helm() -> None:
    """End the process that renders, if one was started."""
    if _helm.cache_info().currsize:
        helm = _helm()
        helm.communicate(timeout=30)
        _helm.cache_clear()


def ask(
    *steps: Sequence[Any],
    version: str = VERSIONS[-1],
    extensions: Sequence[str] = EXTENSIONS,
    objects: Mapping[str, Any] = PRESENT,
) -> dict[str, Any]:
    """Let Helm take steps, such as ("install", values), and return outcomes and objects."""
    helm = _helm()
    assert helm.stdin is not None
    assert helm.stdout is not None
    asked = {
        "chart": str(CHART),
        "steps": steps,
        "version": version,
        "extensions": extensions,
        "objects": objects,
    }
    helm.stdin.write(json.dumps(asked) + "\n")
    helm.stdin.flush()
    return json.loads(helm.stdout.readline())


def refusal(values: Mapping[str, Any], **cluster: Any) -> str:
    """Return why values are refused; an empty string if they are not."""
    (outcome,) = ask(("install", values), **cluster)["outcomes"]
    return str(outcome.get("error", ""))


def read(outcome: Mapping[str, Any]) -> Release:
    """Read what an install or upgrade rendered, hooks included."""
    assert "error" not in outcome, outcome["error"]
    texts = [outcome["manifest"], *(hook["manifest"] for hook in outcome["hooks"])]
    objects = [one for text in texts for one in yaml.safe_load_all(text) if one]
    return Release(objects, outcome["info"]["notes"])


def render(values: Mapping[str, Any], **cluster: Any) -> Release:
    """Install the chart with some values."""
    (outcome,) = ask(("install", values), **cluster)["outcomes"]
    return read(outcome)


def values_of(case: str) -> dict[str, Any]:
    """Return the values of a case of ci/."""
    return yaml.safe_load(CASES[case].read_text()) or {}


@cache
def rendered(case: str) -> Release:
    """Return the release of a case of ci/, rendered once."""
    return render(values_of(case))
