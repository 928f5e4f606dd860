"""The table of distributions is that of the code; ``--update-golden`` writes it anew."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from exmc_dask.dist import FAMILIES, Dist, Family
from exmc_dask.dist.base import SHORTHANDS, Param
from exmc_dask.dist.domain import Support
from exmc_dask.expressions.ir import Node, const, make
from exmc_dask.expressions.ops import FLOAT, Op

PAGE = Path(__file__).parents[1] / "docs" / "guide" / "distributions.md"
COMMAND = ".venv/bin/python -m pytest tests/test_distributions_table.py --update-golden"
BEGIN, END = "<!-- distributions: written by tests/test_distributions_table.py -->", "<!-- end -->"
PARTS = {"dist", "dists", "text"}  # domains of parameters that themselves say what the support is

ROWS = {**FAMILIES, **SHORTHANDS}
KINDS = ("Continuous", "Discrete", "Vectors and matrices", "Made of other distributions")


def whole(family: Family) -> Param | None:
    """Return the first parameter that is a distribution or a word rather than numbers."""
    return next((p for p in family.params if p.domain in PARTS), None)


def support(family: Family) -> Support | None:
    """Support with the parameters under their names; None where another distribution decides."""
    if isinstance(family.support, Support):
        return family.support
    if whole(family):
        return None
    return family.support(**{p.name: stand_in(p) for p in family.params})


def stand_in(p: Param) -> Node:
    """Return a parameter under its name; the smallest where it is a size."""
    if p.domain == "size":
        return const(float(p.least))
    return make(Op.VAR, (), p.name, ("k",) * p.core, FLOAT)


def kind(family: Family) -> str:
    inside = support(family)
    if inside is None:
        return KINDS[3]
    n_event = family.event_of(Dist(family.name, ())) if family.event_of else family.event_ndim
    return KINDS[2] if n_event else KINDS[1] if inside.whole else KINDS[0]


def signature(family: Family) -> str:
    """Parameters as they are given, with ``|`` between those of which one is chosen."""
    if type(family) is not Family:  # it takes its arguments in its own way
        return family.doc.partition(": ")[0].replace("|", r"\|")
    shown: dict[str, str] = {}
    for p in family.params:
        value = "None" if p.optional else "" if p.default is None else f"{p.default:g}"
        group = next((names for names in family.one_of if p.name in names), (p.name,))
        shown[group[0]] = r" \| ".join(group) + (f"={value}" if value else "")
    changed = [p.name for p in family.params if any(p.name in way.makes for way in family.instead)]
    for way in family.instead:
        kept = [name for name in changed if name not in way.makes or name in way.beside]
        given = [p.name for p in way.given]
        shown[changed[-1]] += r" \| " + ", ".join((*kept, *given))
    return f"{family.name}({', '.join(shown.values())})"


def moved(family: Family, inside: Support) -> str:
    """How a free variable is moved."""
    if inside.whole or family.atoms:
        return "observed only"
    found = inside.default_transform()
    return "as it is" if found is None else found.kind


def sentence(family: Family) -> str:
    """Return the first sentence of the docstring, after the signature it begins with."""
    text = re.sub(r"^(\w+\([^)]*\)( or )?)+:? ", "", family.doc).replace("``", "`")
    return text.split(". ")[0].removesuffix(".").replace("|", r"\|")


def line(family: Family) -> str:
    inside, part = support(family), whole(family)
    of = f"of `{part.name}`" if part else ""
    cells = (of, "observed only" if family.atoms else of) if inside is None else ()
    cells = (str(inside), moved(family, inside)) if inside is not None else cells
    return f"| `{signature(family)}` | {' | '.join((*cells, sentence(family)))} |"


def aliases() -> str:
    """Other names of parameters, and of which distributions where few have them."""
    pairs: dict[tuple[str, str], list[str]] = {}
    for _, family in sorted(FAMILIES.items()):
        for p in family.takes:
            for alias in p.aliases:
                pairs.setdefault((alias, p.name), []).append(family.name)
    return "Other names that parameters may be given by: " + ", ".join(
        f"`{alias}` for `{name}`" + (f" ({', '.join(owners)})" if len(owners) < 3 else "")
        for (alias, name), owners in sorted(pairs.items())
    )


def table() -> Iterator[str]:
    for title in KINDS:
        yield f"\n| {title} | support | moved by | |\n| --- | --- | --- | --- |"
        rows = sorted((f for f in ROWS.values() if kind(f) == title), key=lambda f: f.name)
        yield from map(line, rows)
    yield f"\n{aliases()}.\n"


def test_the_guide_has_the_table_of_the_code(pytestconfig: pytest.Config) -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN + "\n")
    found, _, after = rest.partition(END)
    expected = "\n".join(table()) + "\n"
    if pytestconfig.getoption("--update-golden"):
        PAGE.write_text("".join((before, BEGIN, "\n", expected, END, after)))
        found = expected

    assert found == expected, (
        f"the table in {PAGE.name} is old; write it anew with\n\n  {COMMAND}\n"
    )
