"""Distributions as records: what a row of the table says, and a distribution with its parameters.

A `Family` is a row: parameters, support, log-density as an expression, draws. It is also what the
user calls: ``Normal("mu", 0, 5)`` declares a variable in the open model, ``Normal.dist(0, 5)`` is a
`Dist` that belongs to no variable. A row says nothing about invalid parameters and values outside
the support: ``dist.logp`` guards every formula in the same way, from `Param.domain` and `Support`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

import numpy as np

from exmc_dask.expressions.axes import Shape, broadcast, show
from exmc_dask.dist.domain import REAL, Support
from exmc_dask.dist.opened import current
from exmc_dask.elsewhere import OF_DIST, OF_VARIABLE
from exmc_dask.errors import DataError, OptionError, ShapeError
from exmc_dask.expressions.ir import Node, as_float, as_node, broadcast_to, const, make
from exmc_dask.expressions.ops import FLOAT, Op

type Place = tuple[str | int, ...]  # of a distribution in another: a parameter, a number in a list
type Argument = Node | Dist | tuple[Dist, ...] | str | Name | Function


@dataclass(frozen=True)
class Name:
    """A parameter given by the name of a variable, until a model looks it up."""

    name: str


@dataclass(frozen=True)
class Function:
    """A parameter given as a Python function, until a model traces it."""

    call: Callable[..., Any]


@dataclass(frozen=True)
class Dist:
    """A family with its parameters; belongs to no variable.

    Attributes
    ----------
    family : str
        Name of a row of ``FAMILIES``.
    params : tuple of (name, argument)
        Expressions, and distributions for the families that wrap others. `Name` and `Function`
        stand here only until a model takes the distribution in.
    """

    family: str
    params: tuple[tuple[str, Argument], ...]

    def get(self, name: str) -> Any:
        """Return parameter `name`, or None where it was not given."""
        return dict(self.params).get(name)

    def inner(self) -> Iterator[tuple[Place, Dist]]:
        """Distributions among the arguments, each with its place."""
        for name, argument in self.params:
            match argument:
                case Dist():
                    yield (name,), argument
                case tuple():
                    yield from (((name, i), part) for i, part in enumerate(argument))

    def nodes(self) -> Iterator[Node]:
        """Every expression, those of wrapped distributions too, in the order of `map`."""
        for _, argument in self.params:
            match argument:
                case Node():
                    yield argument
                case Dist():
                    yield from argument.nodes()
                case tuple():
                    for part in argument:
                        yield from part.nodes()

    def map(self, change: Callable[[str, Any], Any]) -> Dist:
        """Apply ``change(parameter name, argument)`` to every argument that is no distribution."""

        def changed(name: str, argument: Argument) -> Argument:
            match argument:
                case Dist():
                    return argument.map(change)
                case tuple():
                    return tuple(part.map(change) for part in argument)
                case _:
                    result: Argument = change(name, argument)
                    return result

        return replace(self, params=tuple((n, changed(n, a)) for n, a in self.params))


@dataclass(frozen=True)
class Param:
    """A parameter of a family.

    Attributes
    ----------
    name : str
    default : float, optional
        None where it must be given, unless `optional`.
    domain : str
        Row of ``DOMAINS``; "dist" and "dists" take distributions, "text" takes text, "size" a
        whole number that the shape depends on, "flag" True or False, held as 1 or 0.
    core : int
        Number of trailing axes that belong to one event; the others are the batch. EVENT where
        they are those of the value.
    optional : bool
        May be left out without a default.
    aliases : tuple of str
    least : int
        Smallest size.
    """

    name: str
    default: float | None = None
    domain: str = "real"
    core: int = 0
    optional: bool = False
    aliases: tuple[str, ...] = ()
    least: int = 1


EVENT = -1


@dataclass(frozen=True)
class Instead:
    """Another way to say some parameters of a family.

    Attributes
    ----------
    given : tuple of Param
        What is given in their place.
    makes : mapping of str to function (**given) -> Node
        The parameters of the formula that follow.
    beside : tuple of str
        Parameters of the formula that these functions take too.
    """

    given: tuple[Param, ...]
    makes: Mapping[str, Callable[..., Node]] = field(hash=False)
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Family:
    """One row of the table of distributions, callable by the user.

    Attributes
    ----------
    name, doc : str
    params : tuple of Param
        Those of the formula, in the order in which they are taken by position.
    instead : tuple of Instead
        Other ways to give them, by name. The functions of a row see those of the formula only.
    logp : function (value, **params) -> Node
        Elementwise over the batch. Sees values inside the support and valid parameters only;
        parameters that were not given are None.
    draw : function (rng, shape, **params) -> ndarray, optional
        Arrays in, an array of `shape` out; batch axes broadcast.
    support_point : function (**params) -> Node, optional
        A value inside the support, broadcast to the variable's shape by the caller; the middle of
        the default transform where it is None.
    support : Support, or function (**params) -> Support
    one_of : tuple of tuple of str
        Sets of parameters of which exactly one is given.
    rising : (str, str), optional
        Parameters of which the first must be below the second, where both are given.
    clash : function (**numbers) -> str, optional
        Says what does not fit together in parameters that are each in their domain, or nothing.
        Called with those given as numbers and data, None for others.
    between : (str, str, str), optional
        Parameters of which the second must not lie outside the first and the third.
    location_scale : (str or None, str), optional
        The parameters for which ``loc + scale * standard`` has this law; None where it is about 0.
    event_ndim : int
        Trailing axes of the value that make one event.
    event_of : function (Dist) -> int, optional
        The same where it depends on the parameters.
    logcdf, logsf : function (value, **params) -> Node, optional
        Logarithms of P(X <= value) and P(X > value), for censoring and truncation; values between
        the ends of the support, whole ones where it is of whole numbers, and valid parameters only.
    atoms : bool
        Whether single values have positive probability though the support is not of whole numbers.
    shape_of : function (Dist) -> Shape, optional
        Shape a distribution asks for, where the axes of its parameters do not say it.
    """

    name: str
    doc: str
    params: tuple[Param, ...]
    logp: Callable[..., Node]
    draw: Callable[..., Any] | None
    support_point: Callable[..., Node] | None
    support: Support | Callable[..., Support] = REAL
    instead: tuple[Instead, ...] = ()
    one_of: tuple[tuple[str, ...], ...] = ()
    rising: tuple[str, str] | None = None
    clash: Callable[..., str] | None = None
    between: tuple[str, str, str] | None = None
    location_scale: tuple[str | None, str] | None = None
    event_ndim: int = 0
    event_of: Callable[[Dist], int] | None = None
    logcdf: Callable[..., Node] | None = None
    logsf: Callable[..., Node] | None = None
    atoms: bool = False
    shape_of: Callable[[Dist], Shape] | None = None
    __signature__: inspect.Signature = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
        shown = [inspect.Parameter("name", positional)] + [
            inspect.Parameter(
                p.name,
                positional if p in self.params else inspect.Parameter.KEYWORD_ONLY,
                default=p.default,
            )
            for p in self.takes
        ]
        options = inspect.Parameter("options", inspect.Parameter.VAR_KEYWORD)
        object.__setattr__(self, "__signature__", inspect.Signature([*shown, options]))
        object.__setattr__(self, "__doc__", f"{self.doc}\n\nOptions are those of ed.Model.rv.")

    def __repr__(self) -> str:
        return f"ed.{self.name}"

    @property
    def takes(self) -> tuple[Param, ...]:
        """All parameters that can be given, those of the formula first."""
        others = {p.name: p for way in self.instead for p in way.given}
        return (*self.params, *others.values())

    @property
    def ways(self) -> dict[tuple[str, ...], Instead | None]:
        """Sets of parameters that can be given together, and how those of the formula follow."""
        own = [p.name for p in self.params]
        found: dict[tuple[str, ...], Instead | None] = {tuple(own): None}
        for way in self.instead:
            kept = [name for name in own if name not in way.makes]
            found[*kept, *(p.name for p in way.given)] = way
        return found

    def __call__(self, name: str = "", *args: Any, **options: Any) -> Any:
        """Declare a variable of this family in the open model; see ``Model.rv`` for the options."""
        if name == "":
            raise OptionError(
                f"ed.{self.name} takes a name first, as in ed.{self.name}('x', ...); without a "
                f"variable it is ed.{self.name}.dist(...)"
            )
        params = {key: options.pop(key) for key in list(options) if key not in VARIABLE_OPTIONS}
        return current().rv(name, self.bind(f"'{name}'", args, params), **options)

    def dist(self, *args: Any, shape: Any = None, **params: Any) -> Dist:
        """Return the distribution without declaring a variable.

        `shape` repeats the parameters, where values are numbers; elsewhere they say it.
        """
        label = f"ed.{self.name}.dist"
        found = self.bind(label, args, params)
        return found if shape is None else self._repeated(label, found, shape)

    def _repeated(self, label: str, dist: Dist, shape: Any) -> Dist:
        """Return `dist` with its first parameter in `shape`, into which the others have to fit."""
        sizes = (shape,) if isinstance(shape, int | np.integer) else shape
        if not isinstance(sizes, tuple | list) or not all(
            isinstance(n, int | np.integer) and n > 0 for n in sizes
        ):
            raise OptionError(f"{label}: shape={shape!r} is no length, such as 3 or (3, 2)")
        nodes = [(name, value) for name, value in dist.params if isinstance(value, Node)]
        if self.event_ndim or self.shape_of or not nodes or len(nodes) < len(dist.params):
            raise OptionError(f"{label}: unknown parameter or option 'shape' ({OF_DIST['shape']})")
        whole = tuple(map(int, sizes))
        for name, node in nodes:
            given = getattr(node.arg, "array", node).shape  # of an array, as numbers
            try:
                fits = broadcast(whole, given) == whole
            except ShapeError:
                fits = False
            if not fits:
                raise ShapeError(f"{label}: {name} of shape {show(given)} for shape {whole}")
        first, node = nodes[0]
        return dist.map(lambda name, value: broadcast_to(node, whole) if name == first else value)

    def bind(self, label: str, args: tuple[Any, ...], given: Mapping[str, Any]) -> Dist:
        """Give every argument to the parameter it is meant for.

        Raises
        ------
        OptionError
            An unknown parameter, one given twice or a missing one; names `label` and what the
            family takes.
        """
        takes = f"{self.name} takes {' or '.join(', '.join(names) for names in self.ways)}"
        if len(args) > len(self.params):
            raise OptionError(f"{label}: {len(args)} parameters by position, but {takes}")
        known = {name: p.name for p in self.takes for name in (p.name, *p.aliases)}
        found = {p.name: value for p, value in zip(self.params, args, strict=False)}
        for key, value in given.items():
            if key not in known:
                close = get_close_matches(key, known, 1)
                hint = f" (did you mean '{close[0]}'?)" if close else ""
                options = OF_VARIABLE if label.startswith("'") else OF_DIST
                hint = f" ({options[key]})" if key in options else hint
                raise OptionError(f"{label}: unknown parameter or option '{key}'{hint}; {takes}")
            if known[key] in found:
                raise OptionError(f"{label}: parameter '{known[key]}' is given twice")
            found[known[key]] = value
        found = {key: value for key, value in found.items() if value is not None}
        for names in self.one_of:
            if sum(name in found for name in names) != 1:
                raise OptionError(f"{label}: give exactly one of {', '.join(names)}")
        chosen = next((names for names in self.ways if found.keys() <= set(names)), None)
        if chosen is None:
            raise OptionError(f"{label}: {', '.join(found)} do not go together; {takes}")
        alternatives = {name for names in self.one_of for name in names}
        params = []
        for p in self.takes:
            if p.name in found:
                params.append((p.name, as_argument(f"{label}: {p.name}", p, found[p.name])))
            elif p.name not in chosen:
                continue
            elif p.default is not None:
                params.append((p.name, as_node(p.default)))
            elif not p.optional and p.name not in alternatives:
                raise OptionError(f"{label}: parameter '{p.name}' is missing; {takes}")
        return Dist(self.name, tuple(params))


VARIABLE_OPTIONS = frozenset(
    {"observed", "dims", "shape", "transform", "weight", "mask", "reduce", "likelihood"}
)


def as_argument(label: str, param: Param, value: Any) -> Argument:
    """Turn what the user gave for a parameter into what a `Dist` holds."""
    match param.domain, value:
        case "dist", Dist():
            return value
        case "dists", Dist():
            return value
        case "dists", [*parts] if parts and all(isinstance(part, Dist) for part in parts):
            return tuple(parts)
        case "dist" | "dists", _:
            raise OptionError(f"{label} takes distributions such as ed.Normal.dist(0, 1)")
        case "text", str():
            return value
        case "size", int() | np.integer() if not isinstance(value, bool) and value >= param.least:
            return const(float(value))
        case "size", _:
            raise OptionError(
                f"{label} is {value!r}, but the shape depends on it: give a whole number, "
                f"{param.least} or more"
            )
        case "flag", bool():
            return as_node(float(value))
        case "flag", _:
            raise OptionError(f"{label} is True or False, not {value!r}")
        case _, str():
            return Name(value)
        case _, Node():
            return value
        case _ if callable(value):
            return Function(value)
    try:
        node = as_node(value)
    except DataError as error:
        raise DataError(f"{label}: {error}") from None
    if node.op is Op.DATA and np.isnan(node.arg.array).any():
        raise DataError(f"{label} holds NaN")
    return as_float(node) if node.op is Op.CONST else node


FAMILIES: dict[str, Family] = {}
SHORTHANDS: dict[str, Family] = {}  # whose distributions are of other families


def row(family: Family) -> Family:
    """Put a family into the table."""
    FAMILIES[family.name] = family
    return family


FORMULAS = ("logp", "logcdf", "logsf")  # functions of a `Custom` distribution that are traced
VALUE = "<value>"  # no identifier, so never the name of a variable


def placeholder(shape: Shape) -> Node:
    """Leaf that stands for the value in the traced formula of a `Custom` distribution."""
    return make(Op.VAR, (), VALUE, shape, FLOAT)
