"""The tables that a notebook shows."""

from html.parser import HTMLParser

import numpy as np

import exmc_dask as ed
from exmc_dask import math
from exmc_dask.language.outline import outline
from tests.exmc_dask.views.pictures import clinics


class Page(HTMLParser):
    """Tags in order, the text outside of styles, and that every tag is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.said: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1] != "style":
            self.said.append(data)


def test_everything_declared_and_sampled_is_there() -> None:
    page = Page(clinics()._repr_html_())

    assert page.said[0] == "Model: 6 free, 3 observed, 1 deterministic, 1 potential, 3 data"
    assert {part for line in outline(clinics().spec) for part in (line.name, line.law)} <= {
        *page.said
    }
    assert "as it is sampled: 9 numbers" in page.said
    assert "HalfNormal(1) by log" in page.said


def test_text_of_the_user_is_escaped_and_nothing_runs() -> None:
    shown = clinics()._repr_html_()

    assert "-sum(where(end[0] &lt; 0, end * end, 0))" in shown
    assert Page(shown).tags == {
        "div", "style", "table", "tr", "td", "code", "details", "summary"
    }  # fmt: skip
    assert "http" not in shown


def test_an_open_or_broken_model_is_shown_all_the_same() -> None:
    with ed.Model() as model:
        assert "nothing declared yet" in model._repr_html_()
        x, y = ed.Normal("x", 0, 1, shape=2), ed.Normal("y", 0, 1, shape=2)
        model.observe("both", x * y, np.ones(2))

    assert "cannot be sampled: &#x27;both&#x27; observes x * y" in model._repr_html_()


def test_one_number_is_one_number() -> None:
    with ed.Model() as model:
        ed.Normal("y", math.exp(ed.Normal("x", 0, 1)), 1, observed=[1.0])

    assert "as it is sampled: 1 number<" in model._repr_html_()
