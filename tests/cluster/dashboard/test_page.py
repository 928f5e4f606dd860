"""The page /exmc as a visitor meets it, in a real browser; the pictures lie in pytest's folder."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client, LocalCluster

from exmc_dask.cluster.dashboard.board import Board, board_of
from exmc_dask.cluster.install import install_dashboard
from exmc_dask.cluster.messages.bulletin import Bulletin
from exmc_dask.cluster.messages.wire import pack
from exmc_dask.cluster.plan.moves import Note, Phase, Trouble
from tests.cluster.browser import Browser, needs_browser
from tests.cluster.dashboard.test_scribe import Clock, block, progress, scribe

pytestmark = needs_browser

READ = Browser.READ
STRANGE = "<img src=x onerror='document.title=\"taken\"'> & <b>bold</b> ünïcödé ☃"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser(1400, 1250) as opened:
        yield opened


@pytest.fixture
def place(browser: Browser) -> Iterator[tuple[str, Board]]:
    """The address of the page and the board behind it."""
    options = {"processes": False, "dashboard_address": "127.0.0.1:0", "protocol": "tcp"}
    with LocalCluster(0, **options) as cluster, Client(cluster, set_as_default=False) as client:
        browser.complaints.clear()
        yield install_dashboard(client), board_of(cluster.scheduler)
        browser.open("about:blank")


def bulletin(n_chains: int = 4, **changes: Any) -> Bulletin:
    """Write what a run would after two thirds of its draws, with names nobody should have."""
    clock, rng = Clock(), np.random.default_rng(1)
    columns = {"mu": (), STRANGE: (3,)}
    writer = scribe(n_chains, total=900, tune=300, columns=columns, clock=clock)
    for unit in range(n_chains):
        for first in (0, 300):
            writer.block(block(unit, first, rng.normal(size=(300, 4))))
            clock.now += 2.0
            writer.write()
        phase = Phase.SAMPLING if unit % 3 else Phase.WARMUP
        writer.hear(replace(progress(unit, 600, 900, phase), step_size=0.3, retries=unit % 2))
    writer.hear(Note(Trouble.WORKER_HUNG, STRANGE))
    return replace(writer.write(), began_at=time.time() - 40, **changes)


def test_before_the_first_run_the_page_says_what_to_do(
    place: tuple[str, Board], browser: Browser, tmp_path: Path
) -> None:
    browser.open(place[0])
    browser.wait_for(f"{READ}.includes('No run yet')")
    browser.shoot(tmp_path / "empty.png")

    assert "ed.sample(model, client=client)" in browser.text()
    assert "Chains" not in browser.text()


def test_a_run_appears_and_no_name_in_it_is_taken_for_markup(
    place: tuple[str, Board], browser: Browser, tmp_path: Path
) -> None:
    address, board = place
    browser.open(address)
    browser.wait_for(f"{READ}.includes('No run yet')")
    board.post(pack(bulletin(program="<script>alert(1)</script>.py", owner=STRANGE)))
    browser.wait_for(f"{READ}.includes('sampling')")
    browser.wait_for(f"{READ}.includes('worker hung')")
    time.sleep(0.5)  # for the plots
    browser.shoot(tmp_path / "one.png")
    text = browser.text()

    assert browser.complaints == []
    assert browser.run("document.title") == "Dask: exmc"
    assert text.count(STRANGE) >= 5  # owner, three elements, the note
    assert "<script>alert(1)</script>.py" in text
    for words in ("2,400", "of 3,600, 67%", "10.0.0.3:4000", "run again", "Convergence"):
        assert words in text
    assert len(set((tmp_path / "one.png").read_bytes())) == 256


def test_one_of_several_runs_is_chosen_by_a_click_and_by_the_address(
    place: tuple[str, Board], browser: Browser
) -> None:
    address, board = place
    for run, state in (("first", "complete"), ("second", "running")):
        board.post(pack(bulletin(run=run, program=f"{run}.py", state=state)))
    browser.open(address)
    browser.wait_for(f"{READ}.includes('· second ·')")
    browser.click("first.py")
    browser.wait_for(f"{READ}.includes('· first ·')")
    browser.open(f"{address}?run=first")
    browser.wait_for(f"{READ}.includes('· first ·')")

    assert "2 runs" in browser.text()


def test_a_thousand_chains_are_a_list_to_scroll(
    place: tuple[str, Board], browser: Browser, tmp_path: Path
) -> None:
    address, board = place
    board.post(pack(bulletin(1000)))
    browser.open(address)
    browser.wait_for(f"{READ}.includes('10.0.0.3:4000')")
    browser.shoot(tmp_path / "many.png")
    text = browser.text()

    assert "1,000" in text
    assert "334 warmup, 666 sampling" in text
    assert "10.0.0.500:4000" not in text
