"""What parts of a run are called: the same words in notes, errors, bulletins, JSON and pages."""

import json
import re
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from exmc_dask.cluster.dashboard import panels
from exmc_dask.cluster.dashboard.board import Entry
from exmc_dask.cluster.messages.bulletin import RUNNING, detail, summary
from exmc_dask.cluster.messages.wire import Failure, pack, unpack
from exmc_dask.cluster.plan import words
from exmc_dask.cluster.plan.ledger import Chain
from exmc_dask.cluster.plan.moves import Fault, Note, RunBlock
from exmc_dask.cluster.plan.nouns import NUTS, WORDS, Words
from tests.cluster import toy
from tests.cluster.dashboard.test_scribe import block, progress, scribe
from tests.cluster.story import result

ALL = pytest.mark.parametrize("called", [NUTS, *WORDS.values()], ids=lambda words: words.unit)


def speaks_of(text: str, called: Words) -> bool:
    """Tell whether a text speaks of chains and draws only where these are what is meant."""
    own = {called.unit, called.units or f"{called.unit}s", called.step, f"{called.step}s"}
    return set(re.findall(r"\b(?:chain|draw)s?\b", text.lower())) <= own


def told(called: Words) -> list[Note]:
    """Every note that speaks of a unit."""
    chain = Chain(2, 100, 0, called, fingerprint="cpu")
    block = RunBlock("w", 2, 40, 20, 0, 1.0, 1.0, None)
    return [
        words.hung(chain, "w", stuck=True),
        words.other_fingerprint(chain, "w", result(block, fingerprint="other")),
        words.dropped(chain, chain.nothing()),
        words.dropped(chain, chain.poison("signal SIGKILL")),
    ]


@ALL
def test_notes_and_errors_of_the_plan_name_what_they_speak_of(called: Words) -> None:
    for note in told(called):
        assert called.name(2) in note.message
        assert speaks_of(note.message, called)


@ALL
@pytest.mark.parametrize(
    ("kind", "message", "begins"),
    [
        ("ValueError", "no", "{at}: ValueError: no"),
        ("CompileError", "no rule", "{at}: no rule"),
        ("BadStart", "chain 2 has no start", "{unit} 2 has no start"),
        ("SamplingError", "{unit} 2 came to nothing", "{unit} 2 came to nothing"),
        ("BadStart", "{unit} 23 is none of ours", "{at}: {unit} 23 is"),
    ],
)
def test_what_a_block_raised_is_said_of_its_part(
    kind: str, message: str, begins: str, called: Words
) -> None:
    names = {"unit": called.unit, "at": called.at(2, 5)}
    failure = Failure(2, 4, 0, Fault.RAISED.name, 5, kind, message.format_map(names), "trace")
    error = failure.event("w", called).error

    assert str(error).startswith(begins.format_map(names))
    assert speaks_of(str(error), called)


@pytest.mark.parametrize(
    ("kind", "message", "words"),
    [
        ("BadStart", "chain 1 has no start", "chain 1 of data set 'b' has no start"),
        ("ValueError", "no", "chain 1 of data set 'b', draw 5: ValueError: no"),
        ("BadStart", "chain 4 is none of ours", "chain 1 of data set 'b', draw 5: chain 4 is none"),
    ],
)
def test_a_chain_of_a_set_of_data_is_called_by_both(kind: str, message: str, words: str) -> None:
    sets = Words(sets=("'a'", "'b'", "'c'"))
    failure = Failure(4, 4, 0, Fault.RAISED.name, 5, kind, message, "trace")

    assert str(failure.event("w", sets).error).startswith(words)
    assert unpack(pack(scribe(words=sets).write())).words == NUTS


@ALL
def test_a_bulletin_and_its_json_say_what_is_shown(called: Words) -> None:
    writer = scribe(words=called)
    writer.hear(progress(1, 300))
    for note in told(called):
        writer.hear(note)
    bulletin = unpack(pack(writer.write()))
    shown = summary(bulletin, RUNNING, 0.0) | detail(bulletin)

    assert shown["called"] == {"chain": called.unit, "draw": called.step}
    assert all(speaks_of(event["message"], called) for event in shown["events"])
    json.dumps(shown, allow_nan=False)


@ALL
def test_the_page_is_headed_by_the_words_of_the_run(called: Words) -> None:
    writer = scribe(words=called)
    writer.hear(progress(1, 300))
    bulletin = writer.write()
    table, header, runs = panels.Chains(), panels.Header(), panels.Runs(lambda run: None)
    table.show(bulletin)
    header.show(bulletin, RUNNING, 0.0)
    runs.show([(Entry(bulletin, 0.0), RUNNING)], 0)
    heads = [head.title for table in (table.table, runs.table) for head in table.root.columns]

    assert called("Chains") in table.root.children[0].text
    assert called("chain") in heads
    assert called("draws/s") in heads
    for text in (*heads, table.root.children[0].text, header.root.text):
        assert speaks_of(text, called)


def test_a_list_of_several_kinds_of_runs_prefers_none() -> None:
    fit, chains = (scribe(words=called).write() for called in (WORDS["fit:advi"], NUTS))
    runs = panels.Runs(lambda run: None)
    for bulletins, title in (([fit], "fits"), ([fit, chains], "units"), ([chains], "chains")):
        runs.show([(Entry(bulletin, 0.0), RUNNING) for bulletin in bulletins], 0)
        assert title in [head.title for head in runs.table.root.columns]


@pytest.mark.parametrize("called", [w for w in WORDS.values() if not w.drawn], ids=str)
def test_what_is_no_draw_has_no_convergence(called: Words) -> None:
    writer = scribe(words=called)
    rows = np.random.default_rng(1).normal(size=(600, 5))
    for unit in range(2):
        writer.block(block(unit, 500, rows))
    bulletin = writer.write()
    header = panels.Header()
    header.show(bulletin, RUNNING, 0.0)

    assert not bulletin.names
    assert not bulletin.rhat.size
    assert "R-hat" not in header.root.text


@pytest.mark.parametrize("engine", WORDS)
def test_every_row_is_an_engine(engine: str) -> None:
    module, _, function = engine.partition(":")

    assert callable(getattr(import_module(f"exmc_dask.cluster.engines.{module}"), function))
    assert toy.spec().words == NUTS
    assert replace(toy.spec(), engine=f"exmc_dask.cluster.engines.{engine}").words == WORDS[engine]
