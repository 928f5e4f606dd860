"""``cluster="kubernetes"``: a cluster that Dask's Kubernetes operator runs for one call.

What it looks like is set where users of dask-kubernetes set it, in Dask's configuration:
``kubernetes.image``, ``.namespace``, ``.name``, ``.resources``, ``.env``, ``.count.start``,
``.resource-timeout``, or all of it by ``.custom-cluster-spec``.
"""

import getpass
import uuid
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import dask.config

from exmc_dask.errors import ClusterStartError

START_S = 300.0
"""How long workers may take to come: a node may have to be added, an image to be pulled."""

USER = 10001  # of the image in helm/docker
WRITABLE = {"HOME": "/tmp", "TMPDIR": "/tmp", "DASK_TEMPORARY_DIRECTORY": "/tmp/dask"}
WRITABLE |= {"EXMC_CACHE_DIR": "/tmp/exmc-dask", "CUPY_CACHE_DIR": "/tmp/cupy"}
RESOURCES = {
    "requests": {"cpu": "1", "memory": "2Gi"},
    "limits": {"cpu": "2", "memory": "2Gi"},
}
PORTS = {"tcp-comm": 8786, "http-dashboard": 8787}


def cluster_spec(
    name: str,
    image: str,
    n_workers: int,
    *,
    resources: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the DaskCluster that the operator is asked for.

    Its pods are as those of our chart: not root, on a read-only root file system, one block at a
    time, restarted when they do not answer for a minute.

    Parameters
    ----------
    name : str
        Of the cluster, in its namespace.
    image : str
        Has this package in the coordinator's versions.
    n_workers : int
        Worker pods.
    resources : mapping, optional
        Requests and limits of each pod; those of the chart's workers by default.
    env : mapping of str to str, optional
        Environment of all pods.
    """
    wanted = {**RESOURCES, **(resources or {})}
    common: dict[str, Any] = {
        "image": image,
        "env": {**WRITABLE, **(env or {})},
        "resources": wanted,
    }
    worker = [
        *("dask", "worker", "--name", "$(DASK_WORKER_NAME)", "--nworkers", "1", "--nthreads", "1"),
        *("--memory-limit", str(wanted["limits"].get("memory", "auto"))),
        *("--no-dashboard", "--dashboard-address", f":{PORTS['http-dashboard']}"),
        *("--death-timeout", "60", "--preload", "exmc_dask.cluster.preload"),
    ]
    scheduler = [
        *("dask", "scheduler", "--host", "0.0.0.0"),
        *("--preload", "exmc_dask.cluster.preload"),
    ]
    ports = [
        {"name": port, "protocol": "TCP", "port": number, "targetPort": port}
        for port, number in PORTS.items()
    ]
    selector = {"dask.org/cluster-name": name, "dask.org/component": "scheduler"}
    return {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskCluster",
        "metadata": {"name": name},
        "spec": {
            "worker": {"replicas": n_workers, "spec": _pod("worker", worker, **common)},
            "scheduler": {
                "spec": _pod("scheduler", scheduler, **common),
                "service": {"type": "ClusterIP", "selector": selector, "ports": ports},
            },
        },
    }


def _pod(
    name: str, args: list[str], *, image: str, env: Mapping[str, str], resources: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a pod of one container; the operator adds names, addresses and labels."""
    ports = PORTS if name == "scheduler" else {"http-dashboard": PORTS["http-dashboard"]}
    probe = {"httpGet": {"path": "/health", "port": "http-dashboard"}, "timeoutSeconds": 5}
    container = {
        "name": name,
        "image": image,
        "args": args,
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "resources": dict(resources),
        "ports": [{"name": key, "containerPort": port} for key, port in ports.items()],
        "startupProbe": {**probe, "periodSeconds": 2, "failureThreshold": 90},
        "readinessProbe": {**probe, "periodSeconds": 5},
        "livenessProbe": {**probe, "periodSeconds": 10, "failureThreshold": 6},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}],
    }
    return {
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "scratch", "emptyDir": {}}],
    }


def kubernetes(n_workers: int) -> Any:
    """Start a cluster through Dask's operator, with so many workers unless configured otherwise.

    Returns
    -------
    dask_kubernetes.operator.KubeCluster
        To be closed by the caller, as by ``with``.

    Raises
    ------
    ClusterStartError
        dask-kubernetes is not installed, no image is named, Kubernetes does not answer or lacks
        the operator, or the cluster did not come up.
    """
    try:
        operator = import_module("dask_kubernetes.operator")
    except ImportError:
        raise ClusterStartError(
            "cluster='kubernetes' needs dask-kubernetes: pip install 'exmc-dask[kubernetes]'"
        ) from None
    spec = dask.config.get("kubernetes.custom-cluster-spec") or _configured(n_workers)
    _look_for_operator()
    try:
        return operator.KubeCluster(custom_cluster_spec=spec, shutdown_on_close=True, quiet=True)
    except Exception as error:
        raise ClusterStartError(
            f"the cluster on Kubernetes did not come up: {_said(error)}"
        ) from error


def _configured(n_workers: int) -> dict[str, Any]:
    """Return the cluster that Dask's configuration describes."""
    image = dask.config.get("kubernetes.image")
    if image.startswith("ghcr.io/dask/dask"):  # the default
        raise ClusterStartError(
            "cluster='kubernetes' needs the name of an image that has exmc_dask, built from "
            "helm/docker: dask.config.set({'kubernetes.image': ...}) or DASK_KUBERNETES__IMAGE"
        )
    name = dask.config.get("kubernetes.name")
    return cluster_spec(
        name.format(user=getpass.getuser(), uuid=str(uuid.uuid4())[:10]),
        image,
        dask.config.get("kubernetes.count.start") or n_workers,
        resources=dask.config.get("kubernetes.resources"),
        env=dask.config.get("kubernetes.env"),
    )


def _look_for_operator() -> None:
    """Ask Kubernetes for the operator, as KubeCluster fails in many tongues without it."""
    kr8s = import_module("kr8s")
    try:
        api = kr8s.api()
        api.version()
    except Exception as error:
        raise ClusterStartError(
            f"Kubernetes does not answer: {_said(error)}; see that `kubectl version` does"
        ) from error
    try:
        api.lookup_kind("DaskCluster")
    except ValueError as error:
        raise ClusterStartError(
            "this Kubernetes lacks Dask's operator; install it as "
            "https://kubernetes.dask.org says, or use our chart and its address"
        ) from error


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
