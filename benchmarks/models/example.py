"""A model with simulated data, of which the truth is known."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

import exmc_dask as ed

type Values = Mapping[str, Any]
type Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Example:
    """How true values become data, and data a model.

    Attributes
    ----------
    name : str
    truth : function (rng) -> values
        True value of every variable that should be found again, by its name in the model:
        constants for parameters, draws of their own law for effects of groups and hidden paths.
    simulate : function (rng, truth) -> arrays
    build : function (arrays) -> Model
        The same model for every data set, so that it is compiled once.
    options : mapping
        Of `ed.sample`, where its defaults do not do.
    """

    name: str
    truth: Callable[[np.random.Generator], Values]
    simulate: Callable[[np.random.Generator, Values], Arrays]
    build: Callable[[Arrays], ed.Model]
    options: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def known(self) -> tuple[Values, Arrays]:
        """True values and data, the same in every process."""
        return self.draw(np.random.default_rng([20261125, *self.name.encode()]))

    def draw(self, rng: np.random.Generator) -> tuple[Values, Arrays]:
        """Return other true values and data."""
        truth = self.truth(rng)
        return truth, self.simulate(rng, truth)

    def model(self) -> ed.Model:
        """Return the model of the known data."""
        return self.build(self.known[1])

    def with_truth(self, truth: Callable[[np.random.Generator], Values]) -> "Example":
        """Return the same example with other true values, such as draws of the prior."""
        return replace(self, truth=truth)
