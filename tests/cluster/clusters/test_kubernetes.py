"""A cluster by Dask's operator: what it is asked for, and what is said when it cannot come."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from exmc_dask.cluster.clusters.kubernetes import cluster_spec, kubernetes
from exmc_dask.errors import ClusterStartError
from tests.helm.chart import VERSIONS, needs, rendered
from tests.helm.kube_api import KubeApi

SPEC = cluster_spec("exmc", "exmc-dask:0.1.0", 3, env={"EXMC_CPU": "x86-64-v3"})
PODS = {part: SPEC["spec"][part]["spec"] for part in ("scheduler", "worker")}
ASK = """
import exmc_dask as ed

with ed.Model() as model:
    ed.Normal("x", 0, 1)
try:
    ed.sample(model, 10, 10, 2, cluster="kubernetes", progressbar=False)
except ed.errors.ClusterStartError as error:
    print(error)
"""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("part", PODS)
def test_pods_are_valid(part, version):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": part}, "spec": PODS[part]}

    needs("kubernetes_validate").validate(pod, version, strict=True)


@pytest.mark.parametrize("part", PODS)
def test_pods_are_as_safe_as_those_of_the_chart(part):
    (ours,) = PODS[part]["containers"]
    chart = next(pod for pod in rendered("default").pods() if pod.component == part)
    shared = PODS[part]["securityContext"].items()

    assert ours["securityContext"] == chart.container["securityContext"]
    assert shared <= chart.spec["securityContext"].items()
    assert PODS[part]["automountServiceAccountToken"] is False
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert ours[probe]["httpGet"]["path"] == chart.container[probe]["httpGet"]["path"]
    if part == "worker":
        assert ours["resources"] == chart.container["resources"]


def test_a_worker_runs_one_block_at_a_time():
    (worker,) = PODS["worker"]["containers"]
    words = worker["args"]

    assert SPEC["spec"]["worker"]["replicas"] == 3
    assert words[words.index("--nthreads") + 1] == "1"
    assert words[words.index("--memory-limit") + 1] == worker["resources"]["limits"]["memory"]
    assert {"name": "EXMC_CPU", "value": "x86-64-v3"} in worker["env"]


def test_the_service_leads_to_the_scheduler():
    service = SPEC["spec"]["scheduler"]["service"]
    (scheduler,) = PODS["scheduler"]["containers"]

    assert [port["targetPort"] for port in service["ports"]] == [
        port["name"] for port in scheduler["ports"]
    ]


def test_the_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask_kubernetes", None)
    monkeypatch.setitem(sys.modules, "dask_kubernetes.operator", None)

    with pytest.raises(ClusterStartError, match=r"pip install 'exmc-dask\[kubernetes\]'"):
        kubernetes(1)


def said(tmp_path: Path, config: str | None, **environment: str) -> str:
    """Return what sampling says in a process that reads this configuration of kubectl's."""
    needs("dask_kubernetes")
    path = tmp_path / "config"
    if config is not None:
        path.write_text(config)
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        env=os.environ
        | {"KUBECONFIG": str(path), "DASK_KUBERNETES__RESOURCE_TIMEOUT": "2"}
        | {"DASK_KUBERNETES__IMAGE": "exmc-dask:0.1.0"}
        | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def api(*extensions: str) -> KubeApi:
    return KubeApi("1.33", extensions, {})


def test_an_image_has_to_be_named(tmp_path):
    default = "ghcr.io/dask/dask:latest"

    assert "DASK_KUBERNETES__IMAGE" in said(tmp_path, None, DASK_KUBERNETES__IMAGE=default)


def test_without_credentials_kubernetes_is_said_not_to_answer(tmp_path):
    assert "Kubernetes does not answer: ValueError: Unable to find" in said(tmp_path, None)


def test_an_address_that_nobody_answers_is_said_so(tmp_path):
    config = api().kubeconfig.replace("http://127.0.0.1:", "http://127.0.0.1:1#")

    assert "Kubernetes does not answer: ConnectError" in said(tmp_path, config)


def test_the_missing_operator_is_named(tmp_path):
    assert "this Kubernetes lacks Dask's operator" in said(tmp_path, api().kubeconfig)


def test_an_operator_that_does_not_act_is_waited_for_a_while(tmp_path):
    there = api("kubernetes.dask.org/v1")
    why = said(tmp_path, there.kubeconfig, DASK_KUBERNETES__NAME="mine")
    (asked,) = there.posted

    assert "not actioned after 2 seconds, is the Dask Operator running?" in why
    assert asked["metadata"]["name"] == "mine"
    assert asked["spec"] == cluster_spec("mine", "exmc-dask:0.1.0", 2)["spec"]
    assert not there.objects  # what was asked for is taken back


def test_a_spec_of_the_users_is_left_alone(tmp_path):
    there = api("kubernetes.dask.org/v1")
    path = tmp_path / "spec.yaml"
    path.write_text(yaml.safe_dump(cluster_spec("own", "image:1", 1)))
    said(tmp_path, there.kubeconfig, DASK_KUBERNETES__CUSTOM_CLUSTER_SPEC=str(path))

    assert [one["metadata"]["name"] for one in there.posted] == ["own"]
