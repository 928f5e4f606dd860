"""Wrong values are refused before anything is made, each with a message that names it."""

import copy

import pytest

from tests.helm.chart import ACCOUNT, PRESENT, SECRET, refusal, values_of

TLS = {"mode": "existingSecret", "secretName": "exmc-dask-certs"}
JOB = {"enabled": True, "model": "model.py:model"}

SCHEMA = [
    ({"worker": {}}, "additional properties 'worker' not allowed"),
    ({"image": {"name": "x"}}, "at '/image': additional properties 'name' not allowed"),
    ({"image": {"repository": ""}}, "at '/image/repository': minLength"),
    ({"image": {"tag": 1.0}}, "at '/image/tag': got number, want string"),
    ({"image": {"digest": "sha256:12"}}, "at '/image/digest': 'sha256:12' does not match"),
    ({"image": {"pullPolicy": "Sometimes"}}, "at '/image/pullPolicy': value must be one of"),
    ({"scheduler": {"port": 80}}, "at '/scheduler/port': minimum: got 80, want 1,024"),
    ({"scheduler": {"replicas": 2}}, "at '/scheduler': additional properties 'replicas'"),
    ({"scheduler": {"pdb": {"maxUnavailable": 2}}}, "at '/scheduler/pdb/maxUnavailable'"),
    ({"scheduler": {"service": {"type": "Cluster"}}}, "at '/scheduler/service/type'"),
    ({"scheduler": {"resources": {"limits": {"memory": None}}}}, "missing property 'memory'"),
    ({"scheduler": {"resources": {"limits": {"memory": "2GB"}}}}, "limits/memory': '2GB' does"),
    ({"scheduler": {"env": {"A-B": "1"}}}, "at '/scheduler/env': additional properties 'A-B'"),
    ({"workers": {"cpu": {"replicas": "2"}}}, "at '/workers/cpu/replicas': got string, want"),
    ({"workers": {"cpu": {"replicas": -1}}}, "at '/workers/cpu/replicas': minimum"),
    ({"workers": {"cpu": {"gpus": 1}}}, "at '/workers/cpu': additional properties 'gpus'"),
    ({"workers": {"CPU": {}}}, "at '/workers': additional properties 'CPU'"),
    ({"workers": {"cpu": {"gpu": {"resource": "gpu"}}}}, "at '/workers/cpu/gpu/resource'"),
    ({"workerDefaults": {"pdb": {"maxUnavailable": "half"}}}, "pdb/maxUnavailable': 'half'"),
    ({"workerDefaults": {"autoscaling": {"minReplicas": 0}}}, "autoscaling/minReplicas'"),
    ({"tls": {"mode": "on"}}, "at '/tls/mode': value must be one of 'none', 'existingSecret'"),
    ({"tls": {"mode": "existingSecret"}}, "at '/tls/secretName': minLength"),
    ({"tls": {"mode": "certManager"}}, "at '/tls/certManager/issuerName': minLength"),
    ({"workers": {"cpu": {"resources": {"limits": {"memory": None}}}}}, "memory': got null, want"),
    ({"coordinator": {"model": "model"}}, "at '/coordinator/model': 'model' does not match"),
    ({"coordinator": {"draws": 0}}, "at '/coordinator/draws': minimum"),
    ({"coordinator": {"seed": "one"}}, "at '/coordinator/seed': got string, want null or integer"),
    ({"coordinator": {"data": "data.csv"}}, "at '/coordinator/data': 'data.csv' does not match"),
    ({"coordinator": {"persistence": {"size": "big"}}}, "persistence/size': 'big' does not"),
    ({"ingress": {"enabled": True}}, "at '/ingress/host': minLength"),
    ({"metrics": {"interval": 30}}, "at '/metrics/interval': got number, want string"),
    ({"networkPolicy": {"clientsFrom": {}}}, "at '/networkPolicy/clientsFrom': got object, want"),
]

CHECKS = [
    ({"coordinator": JOB}, "coordinator.model: there is no file model.py; give it with --set-file"),
    (
        {"coordinator": JOB | {"files": {"model.py": ""}, "existingConfigMap": "models"}},
        "coordinator.files and coordinator.existingConfigMap: give one of them",
    ),
    (
        {"workers": {"cpu": {"autoscaling": {"enabled": True, "minReplicas": 9}}}},
        "workers.cpu.autoscaling: minReplicas 9 is more than maxReplicas 8",
    ),
]


@pytest.mark.parametrize(("values", "said"), SCHEMA, ids=lambda x: x if isinstance(x, str) else "")
def test_the_schema_refuses(values, said):
    assert said in refusal(values)


@pytest.mark.parametrize(("values", "said"), CHECKS, ids=lambda x: x if isinstance(x, str) else "")
def test_values_have_to_fit_each_other(values, said):
    assert said in refusal(values)


def test_a_model_in_the_image_needs_no_file():
    assert not refusal({"coordinator": JOB | {"model": "/opt/models/model.py:model"}})


@pytest.mark.parametrize("version", ["1.19", "1.28"])
def test_old_kubernetes_is_refused(version):
    said = (
        f"chart requires kubeVersion: >=1.29.0-0 which is incompatible with Kubernetes v{version}"
    )

    assert said in refusal({}, version=version)


def test_a_missing_secret_is_refused_and_said_how_to_make():
    said = refusal({"tls": TLS}, objects={ACCOUNT: PRESENT[ACCOUNT]})

    assert 'there is no secret "exmc-dask-certs" in namespace "exmc"' in said
    assert "create secret generic exmc-dask-certs --from-file=" in said


def test_a_secret_without_a_key_is_refused():
    objects = copy.deepcopy(PRESENT)
    del objects[SECRET]["data"]["ca.crt"]

    assert 'secret "exmc-dask-certs" has no key ca.crt' in refusal({"tls": TLS}, objects=objects)


def test_a_secret_is_not_looked_for_where_no_cluster_answers():
    assert not refusal({"tls": TLS}, objects={})


@pytest.mark.parametrize(
    ("case", "extension", "said"),
    [
        ("tls", "cert-manager.io/v1", "tls.mode: certManager needs cert-manager"),
        ("hardened", "monitoring.coreos.com/v1", "metrics.enabled needs the Prometheus operator"),
    ],
)
def test_an_extension_the_cluster_lacks_is_named(case, extension, said):
    assert said in refusal(values_of(case), extensions=())
    assert not refusal(values_of(case), extensions=(extension,))
