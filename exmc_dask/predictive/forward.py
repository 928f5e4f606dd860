"""A plan carried out: values of a model for many draws at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from exmc_dask.dist import Functions, draw, without_draw
from exmc_dask.dist.base import Dist
from exmc_dask.errors import ModelError, ShapeError
from exmc_dask.expressions.axes import extents, show
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.ir import Node, as_float
from exmc_dask.expressions.ops import Op
from exmc_dask.language.model import Observation, Variable
from exmc_dask.predictive.plan import Plan, Share, parts_of

type Array = np.ndarray


@dataclass(frozen=True)
class Forward:
    """A plan with the data it is carried out on.

    Attributes
    ----------
    plan : Plan
    data : mapping
        Arrays by slot.
    lengths : mapping
        Of their axes, as predictions have them.
    by : mapping
        Functions of the user that draw `Custom` distributions, by the name of the variable and
        their places in it.
    """

    plan: Plan
    data: Mapping[str, Array]
    lengths: Mapping[str, int]
    by: Mapping[str, Functions]

    def check(self) -> None:
        """Raise ModelError where a variable that has to be drawn cannot be."""
        for name in self.plan.drawn:
            part = parts_of(self.plan.spec)[name]
            if isinstance(part, Variable):
                unable = without_draw(part.dist, self.by.get(name, {}))
                if unable is not None:
                    raise ModelError(f"'{name}' cannot be drawn: {_why(unable)}")

    def shape_of(self, name: str) -> tuple[int, ...]:
        """Shape of one value."""
        match parts_of(self.plan.spec)[name]:
            case Share() as share:
                return (int(self._entries(share).sum()),)
            case Observation() as observation:
                return extents(observation.observed.shape, self.lengths)
            case part:
                return extents(part.node.shape, self.lengths)

    def _entries(self, share: Share) -> Array:
        """Which elements of the whole belong to a share."""
        assert share.whole.missing is not None
        places = self.data[share.whole.missing.arg]
        return places >= 0 if share.imputed else places < 0

    def run(
        self, kept: Mapping[str, Array], n: int, rng: Callable[[str], np.random.Generator]
    ) -> dict[str, Array]:
        """Carry the plan out for some draws at once.

        Parameters
        ----------
        kept : mapping
            ``(n, *shape)`` of each name that is kept.
        n : int
        rng : function (name) -> numpy.random.Generator
            One stream a variable.

        Returns
        -------
        dict
            ``(n, *shape)`` of each wanted name.
        """
        leaves: dict[Any, Array] = {(Op.DATA, slot): array for slot, array in self.data.items()}
        parts = parts_of(self.plan.spec)
        values = dict(kept)
        leaves |= {(Op.VAR, name): array for name, array in kept.items()}
        for name in self.plan.drawn:
            shape = (n, *self.shape_of(name))
            match parts[name]:
                case Variable() as variable:
                    values[name] = self._draw(variable, rng(name), shape, leaves)
                    if name in self.plan.overlaid:
                        share = parts[variable.shares[0]]
                        assert isinstance(share, Share)
                        values[name] = values[name].copy()
                        values[name][:, self._entries(share)] = kept[share.name]
                case Observation() as observation:
                    values[name] = self._value(observation.node, shape, leaves)
                case Share() as share:
                    values[name] = values[share.whole.name][:, self._entries(share)]
            leaves[Op.VAR, name] = values[name]
        named = {d.name: d.node for d in self.plan.spec.deterministics}
        nodes = [as_float(named[name]) for name in self.plan.made]  # as in a trace
        found = evaluate(nodes, leaves, self.lengths)
        for name, array in zip(self.plan.made, found, strict=True):
            values[name] = np.broadcast_to(array, (n, *self.shape_of(name)))
        return {name: values[name] for name in self.plan.wanted}

    def _value(self, node: Node, shape: tuple[int, ...], leaves: Mapping[Any, Array]) -> Array:
        return np.broadcast_to(evaluate([node], leaves, self.lengths)[0], shape)

    def _draw(
        self,
        variable: Variable,
        rng: np.random.Generator,
        shape: tuple[int, ...],
        leaves: Mapping[Any, Array],
    ) -> Array:
        def numbers(node: Node) -> Array:
            return evaluate([node], leaves, self.lengths)[0]

        try:
            drawn = draw(variable.dist, rng, shape, numbers, self.by.get(variable.name, {}))
        except ModelError as error:
            raise type(error)(f"'{variable.name}': {error}") from None
        except ValueError as error:
            raise ModelError(
                f"'{variable.name}' could not be drawn from {variable.dist.family}: {error}. Some "
                "parameter lies where there is no distribution; narrow the priors above it"
            ) from error
        if drawn.shape != shape:
            raise ShapeError(
                f"'{variable.name}': its draw= gave shape {show(drawn.shape)} where {show(shape)} "
                "was asked for"
            )
        return drawn


def _why(dist: Dist) -> str:
    if dist.family == "Custom":
        return (
            "Custom needs draw=, a function (rng, shape, *params) that stays in the process which "
            "declared the model, or logcdf=, which travels"
        )
    return (
        f"{dist.family} is no distribution to draw from; give the variable a proper one, or leave "
        "out what depends on it with var_names="
    )
