"""A model in words: what was declared, what each pass made of it, and what NUTS moves."""

from collections.abc import Sequence

from exmc_dask.expressions.graph import topological
from exmc_dask.language.model import ModelSpec
from exmc_dask.language.text import text
from exmc_dask.lowering.density import LogDensity, lower
from exmc_dask.rewrite import Choice, changes, run
from exmc_dask.views.printed import Printed
from exmc_dask.views.sampled import sampled


def explain(spec: ModelSpec, *, ncp: Choice = "auto") -> Printed:
    """Say line by line how a model is sampled.

    Parameters
    ----------
    spec : ModelSpec
    ncp : "auto", bool or mapping of variable name to bool
        As for ``sample``.

    Returns
    -------
    str
        Sections: the declarations; a section for each pass with what it changed (``measurable``:
        observed expressions undone; ``constrain``: transforms; ``reparam``: variables taken off
        centre); ``unify``, lengths of data that have to agree; ``roll``, variables and terms that
        are alike and calculated together, and values that follow from each other; ``fold``, what
        is calculated from data alone, once; ``sampled``, every variable with the numbers it adds
        to the unconstrained vector, and every term of the data.
    """
    density = lower(spec, ncp=ncp)
    size = len(topological([density.logp, *density.grads]))
    made = f"{density.layout.dim} numbers; density and gradient are {size} operations"
    sections = [
        ("declared", repr(spec).splitlines()),
        *changes(spec, ncp),
        ("unify", list(dict.fromkeys(map(str, density.binding.agreements)))),
        ("roll", _rolled(density)),
        ("fold", [f"{name} = {text(node)}" for name, node in density.binding.folded]),
        (f"sampled: {made}", _table(spec, ncp)),
    ]
    lines: list[str] = []
    for title, said in sections:
        lines += [title, *(f"  {line}" for line in said)] if said else [f"{title}: nothing"]
    return Printed("\n".join(lines))


def _rolled(density: LogDensity) -> list[str]:
    alike = [f"{len(names)} alike: {_ends(names)}" for names in density.rolled]
    return alike + [f"{len(names)} in a row: {_ends(names)}" for names in density.scanned]


def _ends(names: Sequence[str]) -> str:
    return f"{names[0]}, {names[1]}, ..., {names[-1]}"


def _table(spec: ModelSpec, ncp: Choice) -> list[str]:
    rows = list(sampled(run(spec, ncp)))
    wide = max((len(row.name) for row in rows), default=0)
    long = max((len(str(row.numbers)) for row in rows), default=0)
    return [f"{row.name:{wide}} {row.numbers or '':>{long}}  {row.law}" for row in rows]
