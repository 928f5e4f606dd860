"""What the chart promises to whoever runs the cluster, checked on every pod of every case."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.helm.chart import CASES, Pod, rendered

RECOMMENDED = {
    "app.kubernetes.io/name": "exmc-dask",
    "app.kubernetes.io/instance": "rel",
    "app.kubernetes.io/part-of": "exmc-dask",
}
CLIENT = {"rel-exmc-dask-client": "true"}
SCHEDULER, CPU, GPU = (
    {
        "app.kubernetes.io/name": "exmc-dask",
        "app.kubernetes.io/instance": "rel",
        "app.kubernetes.io/component": component,
        **({"exmc-dask/group": group} if group else {}),
    }
    for component, group in (("scheduler", ""), ("worker", "cpu"), ("worker", "gpu"))
)
COORDINATOR = SCHEDULER | CLIENT | {"app.kubernetes.io/component": "coordinator"}
STRANGER = {"app": "stranger"}

every_case = pytest.mark.parametrize("case", CASES)
STARTS = {"scheduler": "dask scheduler", "worker": "dask worker", "test": "python /test/sample.py"}


def pods(case: str, *kinds: str) -> Sequence[Pod]:
    found = [pod for pod in rendered(case).pods() if not kinds or pod.kind in kinds]
    assert found or kinds == ("Job",)
    return found


@every_case
def test_nobody_is_root_or_can_become_it(case):
    for pod in pods(case):
        shared, own = pod.spec["securityContext"], pod.container["securityContext"]

        assert shared["runAsNonRoot"] is True
        assert shared["runAsUser"] >= 10_000
        assert shared["runAsGroup"] >= 10_000
        assert shared["seccompProfile"] == {"type": "RuntimeDefault"}
        assert own["allowPrivilegeEscalation"] is False
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert own.keys() <= {"allowPrivilegeEscalation", "capabilities", "readOnlyRootFilesystem"}
        assert not pod.spec.keys() & {"hostNetwork", "hostPID", "hostIPC", "initContainers"}


@every_case
def test_what_is_written_lies_on_volumes(case):
    for pod in pods(case):
        mounts = {mount["mountPath"]: mount["name"] for mount in pod.container["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in pod.spec["volumes"]}
        variables = {one["name"]: one.get("value", "") for one in pod.container["env"]}

        assert pod.container["securityContext"]["readOnlyRootFilesystem"] is True
        assert set(mounts.values()) == set(volumes)
        assert volumes[mounts["/tmp"]]["emptyDir"]["sizeLimit"]
        assert not any("hostPath" in volume for volume in volumes.values())
        for name in ("HOME", "TMPDIR", "DASK_TEMPORARY_DIRECTORY", "EXMC_CACHE_DIR"):
            assert (variables[name] + "/").startswith("/tmp/")


@every_case
def test_no_pod_holds_a_token(case):
    assert all(pod.spec["automountServiceAccountToken"] is False for pod in pods(case))
    for account in rendered(case).of("ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


@every_case
def test_requests_and_limits_are_set(case):
    for pod in pods(case):
        for amounts in ("requests", "limits"):
            assert {"cpu", "memory"} <= pod.container["resources"][amounts].keys()


@every_case
def test_what_keeps_running_is_probed(case):
    for pod in pods(case, "Deployment"):
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert pod.container[probe]["httpGet"] == {"path": "/health", "port": "dashboard"}
        assert pod.port("dashboard")


@every_case
def test_ports_are_those_of_the_command_line(case):
    for pod in pods(case, "Deployment"):
        asked = {"scheduler": ["--port"], "worker": ["--worker-port", "--nanny-port"]}
        said = [int(pod.option(name)) for name in asked[pod.component]]
        said.append(int(pod.option("--dashboard-address").removeprefix(":")))

        assert said == [port["containerPort"] for port in pod.container["ports"]]


@every_case
def test_workers_keep_to_their_memory(case):
    for pod in pods(case, "Deployment"):
        if pod.component == "worker":
            assert pod.option("--memory-limit") == pod.container["resources"]["limits"]["memory"]
            assert pod.option("--nthreads") == "1"
            asks = pod.container["resources"]["limits"].get("nvidia.com/gpu")
            assert asks == ("1" if pod.labels["exmc-dask/group"] == "gpu" else None)
            assert ("GPU=1" in pod.words) == (asks == "1")


@every_case
def test_all_meet_at_the_scheduler(case):
    (service,) = rendered(case).of("Service")
    host, port = service["metadata"]["name"], service["spec"]["ports"][0]["port"]
    scheme = "tls" if case in ("tls", "hardened") else "tcp"
    for pod in pods(case):
        if pod.component == "scheduler":
            assert selects(service["spec"]["selector"], pod.labels)
            assert pod.port("scheduler") == port
            assert pod.option("--protocol") == scheme
        else:
            assert f"{scheme}://{host}:{port}" in pod.words


@pytest.mark.parametrize("case", ["tls", "hardened"])
def test_certificates_are_mounted_where_dask_looks(case):
    for pod in pods(case):
        variables = {one["name"]: one.get("value", "") for one in pod.container["env"]}
        files = {value for name, value in variables.items() if "__TLS__" in name}
        (volume,) = (volume for volume in pod.spec["volumes"] if volume["name"] == "tls")

        assert variables["DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"] == "true"
        assert files == {f"/etc/exmc-dask/tls/{name}" for name in ("ca.crt", "tls.crt", "tls.key")}
        assert volume["secret"]["defaultMode"] == 0o440


@every_case
def test_drains_are_held_back(case):
    budgets = rendered(case).of("PodDisruptionBudget")
    for pod in pods(case, "Deployment"):
        matching = [b for b in budgets if selects(b["spec"]["selector"]["matchLabels"], pod.labels)]

        assert len(matching) == (pod.labels.get("exmc-dask/group") != "spot")


@every_case
def test_labels_say_whose_an_object_is(case):
    for one in rendered(case).objects:
        labels = one["metadata"]["labels"]
        assert labels.items() >= RECOMMENDED.items()
        assert re.fullmatch(r"[0-9.]+", labels["app.kubernetes.io/version"])
    for pod in pods(case, "Deployment"):  # or a new chart would restart every worker
        assert not pod.labels.keys() & {"helm.sh/chart", "app.kubernetes.io/version"}


@every_case
def test_names_are_unlike(case):
    names = [(one["kind"], one["metadata"]["name"]) for one in rendered(case).objects]

    assert len(names) == len(set(names))
    assert max(len(name) for _, name in names) <= 63


@every_case
def test_each_image_is_named_whole(case):
    for pod in pods(case):
        assert re.fullmatch(r"[a-z./-]+(:0\.1\.0|@sha256:[0-9a-f]{64})", pod.container["image"])


# Who may speak to whom: from, to, port of the receiver by name, whether it is let in.
FLOWS = [
    (CPU, SCHEDULER, "scheduler", True),
    (GPU, SCHEDULER, "scheduler", True),
    (CLIENT, SCHEDULER, "scheduler", True),
    (CLIENT, SCHEDULER, "dashboard", True),
    (COORDINATOR, SCHEDULER, "scheduler", True),
    (SCHEDULER, CPU, "worker", True),
    (SCHEDULER, CPU, "nanny", True),
    (SCHEDULER, GPU, "worker", True),
    (GPU, CPU, "worker", True),
    (CPU, GPU, "worker", True),
    (CPU, SCHEDULER, "dashboard", False),
    (CPU, CPU, "nanny", False),
    (CPU, CPU, "dashboard", False),
    (CLIENT, CPU, "worker", False),
    (STRANGER, SCHEDULER, "scheduler", False),
    (STRANGER, SCHEDULER, "dashboard", False),
    (STRANGER, CPU, "worker", False),
    (STRANGER, GPU, "nanny", False),
    (STRANGER, COORDINATOR, "any", False),
    (SCHEDULER, COORDINATOR, "any", False),
]


@pytest.mark.parametrize(("source", "to", "port", "wanted"), FLOWS)
@pytest.mark.parametrize("case", ["gpu", "job"])
def test_only_those_who_need_to_are_let_in(case, source, to, port, wanted):
    there = [pod for pod in pods(case) if selects(to, pod.labels)]
    for pod in there:
        number = 1 if port == "any" else pod.port(port)
        assert let_in(rendered(case).of("NetworkPolicy"), source, pod, number) == wanted


def test_the_scheduler_of_every_flow_is_there():
    assert {pod.labels.get("exmc-dask/group") for pod in pods("gpu")} == {None, "cpu", "gpu"}
    assert any(selects(COORDINATOR, pod.labels) for pod in pods("job"))


def test_peers_of_the_values_are_let_in():
    policies = {p["metadata"]["name"]: p for p in rendered("hardened").of("NetworkPolicy")}
    rules = policies["rel-exmc-dask-scheduler"]["spec"]["ingress"]
    (dashboards,) = (rule for rule in rules if "namespaceSelector" in rule["from"][0])
    (_, _, metrics) = policies["rel-exmc-dask-worker-cpu"]["spec"]["ingress"]

    assert len(dashboards["from"]) == 2
    assert dashboards["ports"] == [{"port": 8787}]
    assert metrics["ports"] == [{"port": 8790}]


def test_egress_is_kept_to_each_other_and_dns():
    (policy,) = (p for p in rendered("hardened").of("NetworkPolicy") if "egress" in p["spec"])
    names, each_other, extra = policy["spec"]["egress"]

    assert {(port["port"], port["protocol"]) for port in names["ports"]} == {
        (53, "UDP"),
        (53, "TCP"),
    }
    assert all(selects(policy["spec"]["podSelector"]["matchLabels"], p.labels) for p in pods("gpu"))
    assert each_other["to"][0]["podSelector"] == policy["spec"]["podSelector"]
    assert extra["to"][0]["ipBlock"]["cidr"] == "198.51.100.0/24"


def test_monitors_find_what_they_scrape():
    release = rendered("hardened")
    (service,), (scheduler,), (workers,) = map(
        release.of, ("Service", "ServiceMonitor", "PodMonitor")
    )
    (endpoint,) = scheduler["spec"]["endpoints"]

    assert selects(scheduler["spec"]["selector"]["matchLabels"], service["metadata"]["labels"])
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    assert any(
        selects(workers["spec"]["selector"]["matchLabels"], pod.labels)
        for pod in pods("hardened", "Deployment")
    )


def test_scaling_only_adds():
    (scaler,) = rendered("adaptive").of("HorizontalPodAutoscaler")
    (scaled,) = (
        one
        for one in rendered("adaptive").of("Deployment")
        if one["metadata"]["name"] == scaler["spec"]["scaleTargetRef"]["name"]
    )

    assert scaler["spec"]["behavior"] == {"scaleDown": {"selectPolicy": "Disabled"}}
    assert "replicas" not in scaled["spec"]  # an upgrade would set them back


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return selector.items() <= labels.items()


def let_in(policies: Sequence[Any], source: Mapping[str, str], pod: Pod, port: int) -> bool:
    """Tell whether a pod may be reached from another of its namespace, by Kubernetes' rules."""
    over = [
        policy["spec"]
        for policy in policies
        if "Ingress" in policy["spec"]["policyTypes"]
        and matches(policy["spec"]["podSelector"], pod.labels)
    ]
    return not over or any(
        {"port": port} in rule["ports"]
        and any(matches(peer["podSelector"], source) for peer in rule["from"])
        for policy in over
        for rule in policy.get("ingress", ())
    )


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    return selects(selector.get("matchLabels", {}), labels) and all(
        labels.get(term["key"]) in term["values"] for term in selector.get("matchExpressions", ())
    )
