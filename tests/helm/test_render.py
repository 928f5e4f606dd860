"""The chart as Helm renders it: valid for every Kubernetes it takes, and as reviewed in golden/."""

from pathlib import Path

import pytest
import yaml

from tests.helm.chart import CASES, VERSIONS, ask, needs, read, render, rendered, values_of

GOLDEN = Path(__file__).parent / "golden"
OF_OTHERS = ("Certificate", "PodMonitor", "ServiceMonitor")  # whose schemas Kubernetes lacks


def test_lint_finds_nothing_but_the_missing_icon():
    (found,) = ask(("lint",))["outcomes"]

    assert [(one["Severity"], one["Path"]) for one in found["Messages"]] == [(1, "Chart.yaml")]


@pytest.mark.parametrize("case", CASES)
def test_manifests_are_as_reviewed(case, pytestconfig):
    path = GOLDEN / f"{case}.yaml"
    text = yaml.safe_dump_all(rendered(case).objects, sort_keys=False)
    if pytestconfig.getoption("--update-golden"):
        path.write_text(text)

    assert text == path.read_text()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", CASES)
def test_manifests_are_valid(case, version):
    kubernetes_validate = needs("kubernetes_validate")
    for one in rendered(case).objects:
        if one["kind"] not in OF_OTHERS:
            kubernetes_validate.validate(one, version, strict=True)


def test_the_newest_schemas_are_used():
    newest = needs("kubernetes_validate").latest_version()

    assert newest.startswith(f"{VERSIONS[-1]}.")


@pytest.mark.parametrize("version", VERSIONS)
def test_manifests_do_not_depend_on_the_version(version):
    assert render({}, version=version).objects == rendered("default").objects


def test_an_upgrade_replaces_the_job_and_a_rollback_brings_it_back():
    values = values_of("job")
    longer = {**values, "coordinator": {**values["coordinator"], "draws": 9}}
    first = ask(("install", values))["objects"]
    second = ask(("install", values), ("upgrade", longer))["objects"]
    third = ask(("install", values), ("upgrade", longer), ("rollback", 1))["objects"]

    def jobs(objects):
        return [path for path in objects if "/jobs/" in path]

    assert len(jobs(first)) == len(jobs(second)) == 1
    assert jobs(first) != jobs(second)
    assert jobs(third) == jobs(first)
    assert first.keys() == third.keys()


def test_an_upgrade_that_changes_nothing_leaves_the_job():
    values = values_of("job")
    first, second = map(read, ask(("install", values), ("upgrade", values))["outcomes"])

    assert first.objects == second.objects


def test_a_changed_model_makes_another_job():
    values = values_of("job")
    files = {**values["coordinator"]["files"], "schools.py": "import exmc_dask as ed\n"}
    changed = {**values, "coordinator": {**values["coordinator"], "files": files}}

    (job,), (other,) = (render(one).of("Job") for one in (values, changed))
    assert job["metadata"]["name"] != other["metadata"]["name"]
    assert store(job) != store(other)


def test_more_draws_go_on_in_the_same_store():
    values = values_of("job")
    longer = {**values, "coordinator": {**values["coordinator"], "draws": 9000}}

    (job,), (other,) = (render(one).of("Job") for one in (values, longer))
    assert job["metadata"]["name"] != other["metadata"]["name"]
    assert store(job) == store(other)


def store(job):
    words = job["spec"]["template"]["spec"]["containers"][0]["args"]
    return words[words.index("--store") + 1]


def test_uninstalling_keeps_the_draws():
    left = ask(("install", values_of("job")), ("uninstall",), objects={})["objects"]

    assert [path.rsplit("/", 1)[-1] for path in left] == ["rel-exmc-dask-coordinator"]


@pytest.mark.parametrize("case", CASES)
def test_notes_say_how_to_go_on(case):
    notes, scheme = rendered(case).notes, "tls" if case in ("tls", "hardened") else "tcp"

    assert "helm test rel --namespace exmc" in notes
    assert f'ed.sample(model, cluster="{scheme}://rel-exmc-dask-scheduler:8786")' in notes
    assert "port-forward service/rel-exmc-dask-scheduler 8786 8787" in notes
    assert ("WARNING: tls.mode=none" in notes) == (scheme == "tcp")
    assert ("Insufficient nvidia.com/gpu" in notes) == (case == "gpu")
    assert "<nil>" not in notes
