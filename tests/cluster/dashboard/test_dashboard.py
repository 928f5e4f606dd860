"""The page /exmc on real schedulers: a real run is seen there, and by nobody who must not."""

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bokeh.client import pull_session
from bokeh.document import Document
from distributed import Client, LocalCluster
from tornado.ioloop import IOLoop

import exmc_dask as ed
from exmc_dask.cluster.clusters.local import link, local
from exmc_dask.cluster.install import install_dashboard
from exmc_dask.cluster.plan.asks import Request
from exmc_dask.cluster.pools.dask_pool import DaskPool
from exmc_dask.errors import ClientError, ClusterError, ClusterMismatch
from tests.cluster import toy
from tests.cluster.pools.test_dask import address
from tests.cluster.pools.test_pools import draws, start
from tests.cluster.processes import Processes

COLUMNS = {"mu": (), "theta": (2,)}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with local(2, dashboard="127.0.0.1:0") as cluster, Client(cluster) as client:
        yield client
        time.sleep(0.3)  # for the last unsubscription to arrive


def read(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


def runs(client: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(read(link(client, "exmc.json")))["runs"]
    return found


def page(client: Client, run: str = "", url: str = "") -> Document:
    asyncio.set_event_loop(asyncio.new_event_loop())  # Bokeh's client asks for the current one
    loop = IOLoop.current()
    arguments = {"run": run} if run else None
    session = pull_session(url=url or link(client), arguments=arguments, io_loop=loop)
    session.close()
    loop.close(all_fds=True)
    asyncio.set_event_loop(None)
    return session.document


def rows(document: Document, table: str) -> dict[str, list[Any]]:
    model: Any = document.select_one({"name": table})
    return {field: list(values) for field, values in model.source.data.items()}


def test_a_run_is_seen_on_the_page_while_it_goes_on_and_after_it(client: Client) -> None:
    spec = replace(toy.spec(pause_s=0.01, tune=20, draws=180), columns=COLUMNS)
    run = start(DaskPool(client), spec)
    until = time.monotonic() + 20
    while not any(e["run"] == run.name and e["draws"] > 0 for e in runs(client)):
        assert time.monotonic() < until
        time.sleep(0.05)
    during = rows(page(client, run.name), "chains")
    assert run.wait(60)
    after = page(client, run.name)

    assert 0 < sum(during["draw"]) < 600
    assert set(during["phase"]) <= {"warmup", "sampling", "done"}
    chains = rows(after, "chains")
    assert (chains["unit"], chains["draw"]) == ([0, 1, 2], [200, 200, 200])
    addresses = {w.removeprefix("tcp://") for w in client.scheduler_info()["workers"]}
    assert set(chains["worker"]) <= addresses
    variables = rows(after, "variables")
    assert variables["name"] == ["mu", "theta[0]", "theta[1]"]
    assert all(0.9 < value < 1.5 for value in variables["rhat"])
    trace: Any = after.select_one({"name": "trace0"})
    assert trace.title.text == "mu"
    lines = trace.renderers[0].data_source.data
    values = [block.draws.values[:, 0] for block in run.results()[1]]
    assert len(lines["ys"]) == 3
    assert list(lines["ys"][1]) == [value for block in values for value in block]


def test_a_sampled_model_is_seen_by_name(client: Client) -> None:
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 1)
        ed.Normal("y", mu, 1, observed=[0.1, 0.3])
    ed.sample(model, draws=300, chains=2, client=client, random_seed=1, progressbar=False)
    newest = max(runs(client), key=lambda run: run["began_at"])

    detail = json.loads(read(link(client, f"exmc.json?run={newest['run']}")))
    assert (newest["state"], newest["chains"], newest["draws"]) == ("complete", 2, 2 * 700)
    assert list(detail["variables"]) == ["mu"]
    assert [chain["phase"] for chain in detail["chain_list"]] == ["done", "done"]
    assert newest["owner"].count("@") == 1


def test_several_runs_and_clients_do_not_mix(client: Client) -> None:
    slow = toy.spec(pause_s=0.005)
    with Client(client.cluster, set_as_default=False) as other:
        one, two = start(DaskPool(client), slow), start(DaskPool(other), slow, max_block=50)
        two.ask(Request.AFTER)
        assert one.wait(60)
        assert two.wait(60)
        time.sleep(0.3)
    states = {run["run"]: run["state"] for run in runs(client)}

    assert (states[one.name], states[two.name]) == ("complete", "stopped")


def test_a_run_that_raised_shows_why(client: Client) -> None:
    run = start(DaskPool(client), toy.spec(raise_at=[1, 30]), max_block=20)
    with pytest.raises(ClusterError):
        run.wait(60)
    document = page(client, run.name)
    notes: Any = document.select_one({"name": "notes"})

    assert "run failed" in notes.text
    assert "ZeroDivisionError" in notes.text


def test_a_run_whose_client_died_is_lost(client: Client) -> None:
    program = (
        "import os, sys, time\n"
        "from distributed import Client\n"
        "from exmc_dask.cluster.pools.dask_pool import DaskPool\n"
        "from tests.cluster import toy\n"
        "from tests.cluster.pools.test_pools import start\n"
        "run = start(DaskPool(Client(sys.argv[1])), toy.spec(draws=3000, pause_s=0.01))\n"
        "print(run.name, flush=True)\n"
        "time.sleep(2.5)\n"
        "os._exit(1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, address(client)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    name = done.stdout.strip()
    until = time.monotonic() + 10
    while {run["run"]: run["state"] for run in runs(client)}.get(name) != "lost":
        assert time.monotonic() < until, (name, done.stderr, runs(client))
        time.sleep(0.1)


def test_the_page_is_in_the_navigation_of_all_pages(client: Client) -> None:
    for name in ("status", "workers", "exmc"):
        assert '<a href="exmc">Exmc</a>' in read(link(client, name))


def test_metrics_are_among_those_of_the_scheduler(client: Client) -> None:
    pytest.importorskip("prometheus_client")
    draws(start(DaskPool(client), toy.spec()))
    text = read(link(client, "metrics"))

    assert "dask_scheduler_workers" in text
    (line,) = [line for line in text.splitlines() if line.startswith("dask_exmc_draws_total ")]
    assert float(line.split()[1]) >= 600


def test_a_run_that_the_board_does_not_know_is_not_found(client: Client) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        read(link(client, "exmc.json?run=other"))


def test_the_board_survives_a_restart_of_the_workers(client: Client) -> None:
    client.restart()
    run = start(DaskPool(client), toy.spec())
    draws(run)

    assert run.name in {entry["run"] for entry in runs(client)}


def test_installing_on_a_live_scheduler_shows_runs_that_are_under_way() -> None:
    options = {"processes": False, "dashboard_address": "127.0.0.1:0", "protocol": "tcp"}
    with LocalCluster(1, threads_per_worker=1, **options) as cluster, Client(cluster) as client:
        run = start(DaskPool(client), toy.spec(pause_s=0.003))
        assert "exmc" not in read(client.dashboard_link)
        first, again = install_dashboard(client), install_dashboard()
        assert first == again == link(client)
        assert run.wait(60)
        assert [entry["run"] for entry in runs(client)] == [run.name]
        assert rows(page(client), "chains")["draw"] == [200, 200, 200]
        time.sleep(0.3)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path) as started:
        yield started


def test_a_scheduler_without_the_package_is_left_as_it_was(processes: Processes) -> None:
    where, _ = processes.scheduler(kind="lacking")
    processes.worker(where)
    with Client(where, set_as_default=False) as client:
        with pytest.raises(ClusterMismatch, match=r"scheduler at tcp://.* lacks exmc_dask \(here"):
            install_dashboard(client)

        draws(start(DaskPool(client), toy.spec()))
        assert client.submit(abs, -1).result(10) == 1
        time.sleep(0.3)


def test_a_scheduler_shows_runs_by_preload_below_any_prefix(processes: Processes) -> None:
    options = ("--preload", "exmc_dask.cluster.preload", "--dashboard-prefix", "/below")
    where, _ = processes.scheduler(options=options)
    with Client(where, set_as_default=False) as client:
        base = f"http://127.0.0.1:{client.scheduler_info()['services']['dashboard']}/below"

        assert json.loads(read(f"{base}/exmc.json")) == {"runs": []}
        title: Any = page(client, url=f"{base}/exmc").select_one({"name": "title"})
        assert "No run yet" in title.text


def test_a_scheduler_that_serves_no_dashboard_says_so(processes: Processes) -> None:
    where, _ = processes.scheduler()
    with Client(where, set_as_default=False) as client:
        with pytest.raises(ClusterError, match=r"serves no dashboard.*/exmc\.json"):
            install_dashboard(client)

        assert runs(client) == []


def test_there_has_to_be_a_client_and_an_open_one(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = Client(client.cluster, set_as_default=False)
    closed.close()
    with pytest.raises(ClientError, match="the client is closed"):
        install_dashboard(closed)
    monkeypatch.setattr("exmc_dask.cluster.install.current_client", lambda: None)

    with pytest.raises(ClientError, match="there is no Dask client"):
        install_dashboard()


def test_our_local_cluster_has_a_dashboard_on_request_only(capsys: Any) -> None:
    with local(1) as cluster:
        assert "bokeh" not in str(cluster.scheduler.http_application.applications).lower()
        assert "exmc" not in cluster.scheduler.plugins
    with local(1, dashboard="127.0.0.1:0") as cluster:
        assert "exmc" in cluster.scheduler.plugins
        shown = link(cluster)
    assert capsys.readouterr().err == f"exmc_dask: dashboard at {shown}\n"
