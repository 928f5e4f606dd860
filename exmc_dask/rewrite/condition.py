"""Observed variables are their data: where an expression refers to one, it reads the data."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from exmc_dask.dist.base import Dist
from exmc_dask.expressions.graph import substitute
from exmc_dask.expressions.ir import Node
from exmc_dask.language.model import ModelSpec, roots_of
from exmc_dask.transforms import Transform


def condition(spec: ModelSpec) -> ModelSpec:
    """Put data in the place of the observed variables to which other parts of a model refer."""
    return substituted(spec, spec.known)


def substituted(spec: ModelSpec, values: Mapping[Node, Node]) -> ModelSpec:
    """Put other expressions in the place of some, wherever a model has them."""
    if not values:
        return spec
    roots = list(dict.fromkeys(roots_of(spec)))
    known = dict(zip(roots, substitute(roots, values), strict=True))

    def given(node: Node | None) -> Any:
        return None if node is None else known[node]

    def dist(declared: Dist) -> Dist:
        return declared.map(lambda _, part: known[part] if isinstance(part, Node) else part)

    def moved(transform: Any) -> Any:
        if not isinstance(transform, Transform):
            return transform
        return replace(transform, args=tuple(map(given, transform.args)))

    return replace(
        spec,
        variables=tuple(
            replace(
                v,
                dist=dist(v.dist),
                transform=moved(v.transform),
                weight=given(v.weight),
                mask=given(v.mask),
            )
            for v in spec.variables
        ),
        observations=tuple(
            replace(o, node=given(o.node), weight=given(o.weight), mask=given(o.mask))
            for o in spec.observations
        ),
        deterministics=tuple(replace(d, node=given(d.node)) for d in spec.deterministics),
        potentials=tuple(replace(p, node=given(p.node)) for p in spec.potentials),
    )
