"""Boxes, arrows and plates of a model, and their text in DOT and Mermaid."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask.errors import ModelError, OptionError, UnknownName
from exmc_dask.transforms import interval
from exmc_dask.views.diagram import Box, Diagram, Kind, diagram
from exmc_dask.views.dot import dot
from exmc_dask.views.mermaid import mermaid
from tests.exmc_dask.models import MODELS
from tests.exmc_dask.views.pictures import clinics

GOLDEN = Path(__file__).parent / "golden"
ROOT = Path(__file__).parents[3]
WRITTEN = {
    "clinics.dot": lambda: clinics().to_graphviz(formatting="plain_with_params"),
    "clinics.mmd": lambda: clinics().to_mermaid(),
    "eight_schools.dot": lambda: MODELS["eight_schools"]().to_graphviz(),
    "eight_schools.mmd": lambda: MODELS["eight_schools"]().to_mermaid(),
}


def picture(model: ed.Model, *options: object) -> Diagram:
    return diagram(model.spec, model.lengths, *options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", WRITTEN)
def test_text_is_as_reviewed(name: str, pytestconfig: pytest.Config) -> None:
    path, text = GOLDEN / name, WRITTEN[name]() + "\n"
    if pytestconfig.getoption("--update-golden"):
        path.write_text(text)

    assert text == path.read_text()


def test_arrows_lead_from_what_is_used_to_what_uses_it() -> None:
    assert set(picture(clinics()).arrows) == {
        *(("μ", "α"), ("τ", "α"), ("α", "η"), ("where", "η"), ("X", "η"), ("β", "η")),
        *(("η", "y"), ("y", "seen"), ("end", "pull"), ("μ", "x"), ("x", "z"), ("μ", "t")),
    }


def test_arrows_come_from_every_part_of_a_declaration() -> None:
    with ed.Model() as model:
        low = ed.Normal("low", 0, 1)
        ed.Flat("x", transform=interval(low, None))
        weight = ed.Data("weight", np.ones(3))
        first = ed.Normal("first", low, 1, observed=np.ones(3), weight=weight)
        named = ed.Deterministic("named", low)
        ed.Normal("second", first, 1, observed=np.zeros(3))
        mixed = [ed.Normal.dist(named, 1), ed.Normal.dist(0, 1)]
        ed.Mixture("third", [0.5, 0.5], mixed, observed=np.zeros(3))

    assert picture(model).arrows == (
        ("low", "x"),
        ("low", "first"),
        ("weight", "first"),
        ("first", "second"),
        ("low", "third"),
        ("low", "named"),
    )


def test_a_prediction_hangs_on_the_data_it_is_conditioned_on() -> None:
    with ed.Model() as model:
        process = ed.gp.Marginal(cov_func=ed.gp.cov.ExpQuad(1, ls=1.0))
        process.marginal_likelihood("y", [0.0, 1.0], [1.0, 2.0], ed.HalfNormal("sigma", 1))
        process.conditional("later", [2.0])
    kinds = {box.name: box.kind for box in picture(model).boxes}

    assert set(picture(model).arrows) == {("sigma", "y"), ("y", "later"), ("sigma", "later")}
    assert kinds == {"sigma": Kind.FREE, "y": Kind.OBSERVED, "later": Kind.PREDICTED}


def test_plates_are_dimensions_with_the_lengths_of_the_data() -> None:
    model = clinics()
    plates = {box.name: plate for plate, boxes in picture(model).plates.items() for box in boxes}

    assert plates["X"] == "visit (8) × feature (2)"
    assert plates["y"] == plates["η"] == "visit (8)"
    assert plates["μ"] == plates["pull"] == ""
    assert plates["t"] == "2"
    shorter = {name: model.data[name][:5] for name in ("X", "where", "seen")}
    model.set_data(shorter)
    assert "visit (5)" in picture(model).plates
    assert "visit" in picture(model, None, "plain", False).plates


@pytest.mark.parametrize("name", MODELS)
def test_every_model_can_be_shown(name: str) -> None:
    model = MODELS[name]()
    names = [box.name for box in picture(model).boxes]
    place = {name: i for i, name in enumerate(names)}

    assert len(place) == len(names)
    assert all(source in place and target in place for source, target in picture(model).arrows)
    assert all(f"<code>{name}</code>" in model._repr_html_() for name in names)
    assert model.to_graphviz().count("{") == model.to_graphviz().count("}")
    assert len(model.to_mermaid().splitlines()) > len(names)


def test_some_names_bring_all_they_depend_on() -> None:
    some = picture(clinics(), ["η", "t"])

    assert {box.name for box in some.boxes} == {"η", "t", "X", "where", "μ", "τ", "α", "β"}
    assert ("α", "η") in some.arrows
    assert ("η", "y") not in some.arrows
    with pytest.raises(UnknownName, match="there is no 'mu1' in the model; did you mean 'mu'"):
        picture(MODELS["eight_schools"](), ["mu1"])


def test_the_order_does_not_depend_on_the_process() -> None:
    probe = "from tests.exmc_dask.views.test_diagram import *; print(WRITTEN['clinics.dot']())"
    ran = subprocess.run(
        [sys.executable, "-c", probe],
        env=os.environ | {"PYTHONHASHSEED": "7", "PYTHONIOENCODING": "utf-8"},
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )

    assert ran.stdout.rstrip() == WRITTEN["clinics.dot"]()


AWKWARD = Diagram(
    (Box("a", Kind.FREE, ('say "a"', "<b> & \\n", "#1"), ""), Box("b", Kind.DATA, ("b",), "")),
    (("a", "b"),),
)


def test_labels_are_escaped() -> None:
    assert r'"a" [label="say \"a\"\n<b> & \\n\n#1", shape=ellipse]' in dot(AWKWARD)
    label = "say #34;a#34;<br>#60;b#62; #38; #92;n<br>#35;1"
    assert f'n0(["{label}"])' in mermaid(AWKWARD)


def test_words_of_mermaid_are_no_node() -> None:
    lines = clinics().to_mermaid().splitlines()

    assert any('(["end<br>' in line for line in lines)
    assert sum(line.strip() == "end" for line in lines) == 6  # one a plate


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_draws_what_is_written() -> None:
    drawn = clinics().to_graphviz()._repr_svg_()

    assert drawn is not None
    assert drawn.count('class="node"') == len(picture(clinics()).boxes)
    assert drawn.count('class="edge"') == len(picture(clinics()).arrows)


def test_without_graphviz_the_text_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    assert clinics().to_graphviz()._repr_svg_() is None


def test_jupyter_is_told_that_it_is_mermaid() -> None:
    text = clinics().to_mermaid()

    assert text._repr_mimebundle_(include=None) == {
        "text/vnd.mermaid": str(text),
        "text/plain": str(text),
    }


def test_the_functions_of_pymc_take_the_open_model() -> None:
    with ed.Model() as model:
        ed.Normal("x", 0, 1)
        assert ed.model_to_graphviz() == model.to_graphviz()
        assert ed.model_to_mermaid() == model.to_mermaid()
    assert ed.model_to_graphviz(model, var_names=["x"]) == model.to_graphviz()
    with pytest.raises(ModelError, match="no model is open"):
        ed.model_to_graphviz()
    with pytest.raises(OptionError, match="is not an"):
        ed.model_to_mermaid("model")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="formatting='latex' is none of plain"):
        model.to_graphviz(formatting="latex")
