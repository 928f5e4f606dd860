"""`Builder`: a model declared by names, in a chain of calls, as in eXMC.

A parameter given as text is the variable of that name; one given as a function is called with the
variables that its arguments are called after. `Builder.build` replays the declarations on an open
`Model`, so both ways of declaring give the same record.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from exmc_dask.dist.base import Dist, Family, Function, Name
from exmc_dask.dist.opened import current
from exmc_dask.errors import DuplicateName, ModelError, OptionError
from exmc_dask.expressions.ir import Node
from exmc_dask.language.context import Dims, Model
from exmc_dask.language.slots import unknown
from exmc_dask.language.tracing import TRACED_LATER, traced
from exmc_dask.transforms import Transform

__all__ = ["Builder", "Data", "Deterministic", "Model", "Potential", "set_data"]


def Data(  # noqa: N802 - PyMC's name
    name: str, value: Any, dims: Dims = None, *, dtype: Any = None
) -> Node:
    """Declare data in the open model that `set_data` can exchange later.

    Parameters
    ----------
    name : str
    value : array
        Kept as float64, int64 or bool; without NaN.
    dims : str or sequence of str, optional
    dtype : "float32" or "float64", optional
        float32 keeps the array, and what `set_data` puts in its place, rounded to half the bytes:
        in memory, on the way to workers and in the kernel. All that is calculated from it is
        float64.

    Raises
    ------
    DataError, ShapeError, OptionError
        The array cannot be used, does not fit `dims`, or `dtype` is another one.
    """
    return _open().slot(name, value, dims, dtype)


def Deterministic(name: str, expression: Any, dims: Dims = None) -> Node:  # noqa: N802
    """Name an expression in the open model, whose values are then kept beside the draws."""
    return _open().deterministic(name, expression, dims)


def Potential(name: str, expression: Any) -> Node:  # noqa: N802
    """Add an expression, summed over its elements, to the log-density of the open model."""
    return _open().potential(name, expression)


def set_data(
    values: Mapping[str, Any],
    coords: Mapping[str, Any] | None = None,
    model: Model | None = None,
) -> None:
    """Put other arrays into the data slots of `model`, or of the open one; see `Model.set_data`."""
    (model or _open()).set_data(values, coords)


def _open() -> Model:
    model = current()
    assert isinstance(model, Model)  # nothing else opens itself
    return model


@dataclass(frozen=True)
class _Call:
    """A declaration that waits to be replayed."""

    kind: str
    name: str
    value: Any
    options: Mapping[str, Any] = field(default_factory=dict)


class Builder:
    """Declare a model by names.

    Parameters
    ----------
    coords : mapping, optional
        Dimension name -> labels along it.

    Examples
    --------
    >>> import exmc_dask as ed
    >>> model = (
    ...     ed.Builder()
    ...     .rv("mu", ed.Normal, mu=0.0, sigma=5.0)
    ...     .rv("sigma", ed.HalfNormal, sigma=2.0)
    ...     .rv("x", ed.Normal, mu="mu", sigma=lambda sigma: 2 * sigma)
    ...     .obs("x_obs", "x", [2.1, 1.8, 2.5])
    ...     .build()
    ... )
    >>> model
    mu    ~ Normal(0, 5)
    sigma ~ HalfNormal(2)
    x_obs ~ Normal(mu, 2 * sigma)  observed
    """

    def __init__(self, coords: Mapping[str, Any] | None = None) -> None:
        self._coords = dict(coords or {})
        self._calls: dict[str, _Call] = {}

    def coords(self, **coords: Any) -> Self:
        """Give dimensions their labels."""
        self._coords.update(coords)
        return self

    def data(self, name: str, value: Any, dims: Dims = None, *, dtype: Any = None) -> Self:
        """Declare a data slot, which other declarations use by its name; see `Data`."""
        return self._add(_Call("data", name, value, {"dims": dims, "dtype": dtype}))

    def rv(
        self,
        name: str,
        dist: Family | Dist,
        *args: Any,
        shape: Any = None,
        dims: Dims = None,
        transform: Transform | str | None = "default",
        likelihood: bool = True,
        **params: Any,
    ) -> Self:
        """Declare a random variable; it is free unless `obs` observes it.

        Parameters
        ----------
        name : str
        dist : Family or Dist
            ``ed.Normal`` with its parameters following, or a finished ``ed.Normal.dist(0, 1)``.
        shape, dims, transform, likelihood
            As in ``Model.rv``; ``likelihood=False``: drawn in prediction only.
        *args, **params
            Numbers, arrays, names of variables, or functions of variables.
        """
        if isinstance(dist, Family):
            dist = dist.bind(f"'{name}'", args, params)
        elif args or params or not isinstance(dist, Dist):
            raise OptionError(f"'{name}': give a distribution such as ed.Normal and its parameters")
        self._check(name, dist)
        options = {"shape": shape, "dims": dims, "transform": transform, "likelihood": likelihood}
        return self._add(_Call("rv", name, dist, options))

    def obs(
        self,
        name: str,
        rv: str | Callable[..., Any],
        value: Any,
        *,
        weight: Any = 1,
        mask: Any = None,
        reduce: str = "sum",
        likelihood: bool = True,
        dims: Dims = None,
    ) -> Self:
        """Observe a variable, or an expression of a free variable.

        Parameters
        ----------
        name : str
            Of the observation.
        rv : str or function
            Name of a variable or of an expression, or a function of variables.
        value : array
            Entries that are NaN or masked are imputed, as in ``Model.rv``.
        weight : number or array
            Factor of every elementwise log-density.
        mask : array of bool, optional
            Elements where it is False do not count.
        reduce : "sum", "mean" or "logsumexp"
        likelihood : bool
            False leaves the term out of the log-density.
        dims : str or sequence of str, optional
        """
        target = Name(rv) if isinstance(rv, str) else Function(rv)
        self._check_argument(name, target)
        options = {"weight": weight, "mask": mask, "reduce": reduce, "likelihood": likelihood}
        return self._add(_Call("obs", name, (target, value), {**options, "dims": dims}))

    def det(self, name: str, expr: Callable[..., Any], dims: Dims = None) -> Self:
        """Name an expression: a function of variables, such as ``lambda a, b: a + b``."""
        self._check_argument(name, Function(expr))
        return self._add(_Call("det", name, Function(expr), {"dims": dims}))

    def potential(self, name: str, expr: Callable[..., Any]) -> Self:
        """Add a function of variables, summed over its elements, to the log-density."""
        self._check_argument(name, Function(expr))
        return self._add(_Call("potential", name, Function(expr)))

    def build(self) -> Model:
        """Return the closed model.

        Raises
        ------
        ModelError
            One of its kinds, naming the variable.
        """
        observed: dict[str, list[_Call]] = {}
        for call in self._calls.values():
            if call.kind == "obs" and isinstance(call.value[0], Name):
                target = call.value[0].name
                if self._calls[target].kind == "rv":
                    observed.setdefault(target, []).append(call)
        replay = _Replay(observed)
        with Model(self._coords) as replay.model:
            for call in self._calls.values():
                getattr(replay, call.kind)(call)
        return replay.model

    def _add(self, call: _Call) -> Self:
        if call.name in self._calls:
            raise DuplicateName(f"'{call.name}' is declared twice")
        self._calls[call.name] = call
        return self

    def _check(self, owner: str, dist: Dist) -> None:
        def look(param: str, argument: Any) -> Any:
            if param not in TRACED_LATER:
                self._check_argument(owner, argument)
            return argument

        dist.map(look)

    def _check_argument(self, owner: str, argument: Any) -> None:
        for name in _names(argument):
            if name not in self._calls:
                raise unknown(f"variable for '{owner}' called", name, self._calls)


def _names(argument: Any) -> list[str]:
    """Names that an argument refers to."""
    match argument:
        case Name(name):
            return [name]
        case Function(call):
            return list(inspect.signature(call).parameters)
        case _:
            return []


class _Replay:
    """Carries declarations by name out on a model, one method a kind."""

    model: Model

    def __init__(self, observed: Mapping[str, list[_Call]]) -> None:
        self.observed = observed
        self.nodes: dict[str, Node] = {}

    def data(self, call: _Call) -> None:
        self.nodes[call.name] = self.model.slot(call.name, call.value, **call.options)

    def rv(self, call: _Call) -> None:
        dist = call.value.map(lambda param, argument: self._resolved(call.name, param, argument))
        if call.name not in self.observed:
            self.nodes[call.name] = self.model.rv(call.name, dist, **call.options)
            return
        given = {key: value for key, value in call.options.items() if key != "dims"}
        if given != {"shape": None, "transform": "default", "likelihood": True}:
            raise OptionError(
                f"'{call.name}' is observed and takes neither transform= nor shape=; "
                "likelihood= belongs to the observation"
            )
        for obs in self.observed[call.name]:
            dims = obs.options["dims"] if obs.options["dims"] is not None else call.options["dims"]
            options = {**obs.options, "dims": dims}
            node = self.model.rv(obs.name, dist, observed=obs.value[1], **options)
            self.nodes[obs.name] = node
        if len(self.observed[call.name]) == 1:
            self.nodes[call.name] = node

    def obs(self, call: _Call) -> None:
        target, value = call.value
        if isinstance(target, Name) and target.name in self.observed:
            return
        node = self._resolved(call.name, "expr", target)
        self.nodes[call.name] = self.model.observe(call.name, node, value, **call.options)

    def det(self, call: _Call) -> None:
        node = self._resolved(call.name, "expr", call.value)
        self.nodes[call.name] = self.model.deterministic(call.name, node, **call.options)

    def potential(self, call: _Call) -> None:
        self.model.potential(call.name, self._resolved(call.name, "expr", call.value))

    def _resolved(self, owner: str, param: str, argument: Any) -> Any:
        if param in TRACED_LATER:
            return argument
        match argument:
            case Name(name):
                return self._node(owner, name)
            case Function(call):
                operands = [self._node(owner, name) for name in _names(argument)]
                return traced(f"'{owner}': {param}", call, operands)
            case _:
                return argument

    def _node(self, owner: str, name: str) -> Node:
        if name not in self.nodes:
            raise ModelError(f"'{owner}': '{name}' is observed more than once, so it has no value")
        return self.nodes[name]
