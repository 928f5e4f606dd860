"""A run in a real notebook kernel: one display, replaced in place, and nothing beside it."""

import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from exmc_dask.cluster.display.notebook import N_ROWS, page
from exmc_dask.cluster.display.tally import Tally
from exmc_dask.cluster.plan.moves import Note, Phase, Trouble
from tests.cluster.dashboard.test_scribe import Clock, progress

RUN = """
from exmc_dask.cluster.driver import Driver
from exmc_dask.cluster.plan.moves import Note, Trouble
from exmc_dask.cluster.pools.thread_pool import ThreadPool
from exmc_dask.cluster.display.progress import watch
from tests.cluster import toy
spec = toy.spec(pause_s={pause_s})
show = watch(True, 3, 200, 20)
run = Driver(ThreadPool(3), spec, units=range(3), total=200, on_event=show, on_block=show.block)
run.start()
run.wait()
for note in {notes}:
    show(Note(Trouble.WORKER_LOST, note))
show.close()
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[Any]:
    pytest.importorskip("ipykernel", reason="no notebook kernel on this machine")
    from jupyter_client.manager import start_new_kernel

    path = os.pathsep.join(p or os.getcwd() for p in sys.path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs are not ours to mend
        manager, client = start_new_kernel(
            kernel_name="python3", env={**os.environ, "PYTHONPATH": path}
        )
        yield client
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def displayed(kernel: Any, code: str) -> list[dict[str, Any]]:
    """Run code in the kernel and return what it sent to the cell's output, in order."""
    sent: list[dict[str, Any]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reply = kernel.execute_interactive(code, output_hook=sent.append, timeout=60)
    assert reply["content"]["status"] == "ok", reply["content"]
    return [message for message in sent if message["msg_type"] not in ("status", "execute_input")]


def test_a_run_has_one_display_that_is_replaced(kernel: Any) -> None:
    sent = displayed(kernel, RUN.format(pause_s=0.01, notes=["<b>worker</b> & co"]))
    kinds = [message["msg_type"] for message in sent]
    contents = [message["content"] for message in sent]

    assert kinds[0] == "display_data"
    assert set(kinds[1:]) == {"update_display_data"}
    assert len({content["transient"]["display_id"] for content in contents}) == 1
    last = contents[-1]["data"]
    assert last["text/html"].count("200/200") == 3
    assert "&lt;b&gt;worker&lt;/b&gt; &amp; co" in last["text/html"]
    assert last["text/plain"].startswith("600 of 600 draws; chains: 3 done; R-hat up to ")


def test_a_short_run_displays_nothing(kernel: Any) -> None:
    assert displayed(kernel, RUN.format(pause_s=0.0, notes=[])) == []


def test_of_many_chains_those_furthest_behind_are_shown() -> None:
    tally = Tally(1000, 1500, 500, Clock())
    for unit in range(500):
        tally.see(progress(unit, 1400 - unit))
    html = page(tally, [])

    assert html.count("<tr") == 1 + N_ROWS + 2
    assert "901/1500" in html
    assert "484 chains are further" in html
    assert "500 waiting, 500 sampling" in html


def test_names_are_not_taken_for_markup_and_alarms_are_red() -> None:
    tally = Tally(1, 1500, 500, Clock())
    tally.see(replace(progress(0, 900, phase=Phase.DONE), worker="<i>", divergences=2))
    html = page(tally, [Note(Trouble.CHILD_DIED, "<script>")])

    assert "&lt;i&gt;" in html
    assert "child died: &lt;script&gt;" in html
    assert 'color:#c23b3b;font-weight:600">2</td>' in html
