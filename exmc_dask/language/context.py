"""The open door of a model: it takes declarations inside ``with ed.Model():`` and keeps the data.

What is declared goes into a frozen record, `ModelSpec`; the door keeps what the record must not
hold: the data, which `Model.set_data` exchanges, and the coordinates.
"""

from collections.abc import Mapping, Sequence
from contextvars import Token
from typing import Any, Self

import numpy as np

from exmc_dask.dist import Dist, Functions
from exmc_dask.dist.opened import Declares, open_model
from exmc_dask.elsewhere import Hints
from exmc_dask.errors import DuplicateName, FrozenError, ModelError, OptionError
from exmc_dask.expressions.graph import leaves
from exmc_dask.expressions.ir import Node, as_float
from exmc_dask.expressions.ops import Op
from exmc_dask.language import consistency, verify
from exmc_dask.language.model import Deterministic, ModelSpec, Observation, Potential, Variable
from exmc_dask.language.observed import seen, with_gaps
from exmc_dask.language.slots import Slots, unknown
from exmc_dask.language.tracing import draws_of
from exmc_dask.language.unobserved import free, predicted
from exmc_dask.language.whole import Whole
from exmc_dask.lowering.joint import joint
from exmc_dask.transforms import Transform
from exmc_dask.views import Display

type Dims = str | Sequence[str | None] | None
type Names = tuple[str | None, ...]


class Model(Display, Hints, Whole):
    """A model with its data: open inside ``with``, closed after it.

    A later ``with model:`` makes it the model of `sample` and `set_data`, but adds nothing to it.

    Parameters
    ----------
    coords : mapping, optional
        Dimension name -> labels along it.

    Attributes
    ----------
    spec : ModelSpec
        The frozen record.
    data : dict of str to ndarray
        Arrays in the slots of the record; exchanged by `set_data`.
    coords : dict of str to ndarray
    draws : dict of str to mapping
        Functions that users gave to `Custom` distributions for predictive draws, at their places in
        the variable. They stay in this process and do not travel with the model.

    Examples
    --------
    >>> import exmc_dask as ed
    >>> with ed.Model(coords={"school": ["A", "B", "C"]}) as model:
    ...     mu = ed.Normal("mu", 0, 5)
    ...     theta = ed.Normal("theta", mu, 1, dims="school")
    ...     y = ed.Normal("y", theta, [15.0, 10.0, 16.0], observed=[28.0, 8.0, -3.0])
    >>> model
    mu    ~ Normal(0, 5)
    theta ~ Normal(mu, 1)  [school]
    y     ~ Normal(theta, y.sigma)  observed
    """

    def __init__(self, coords: Mapping[str, Any] | None = None) -> None:
        self._own: set[Node] = set()  # variables, which expressions may refer to
        self._slots = Slots(self._own)
        self._variables: list[Variable] = []
        self._deterministics: list[Deterministic] = []
        self._potentials: list[Potential] = []
        self._observations: list[Observation] = []
        self._known: dict[Node, Node] = {}  # observed variables and their data
        self._later: set[str] = set()  # variables that are drawn in prediction only
        self._names: set[str] = set()
        self._closed = False
        self._final: ModelSpec | None = None
        self._tokens: list[Token[Declares | None]] = []
        self.draws: dict[str, Functions] = {}
        self.add_coords(coords or {})

    def __enter__(self) -> Self:
        self._tokens.append(open_model.set(self))
        return self

    def __exit__(self, *raised: object) -> None:
        open_model.reset(self._tokens.pop())
        self._closed = True

    @property
    def spec(self) -> ModelSpec:
        """The record of all declarations so far; always the same one when the model is closed."""
        record = self._final or ModelSpec(
            tuple(self._variables),
            tuple(slot for _, slot in sorted(self._slots.slots.items())),
            tuple(self._deterministics),
            tuple(self._potentials),
            tuple(self._observations),
        )
        self._final = record if self._closed else None
        return record

    @property
    def data(self) -> dict[str, np.ndarray]:
        """Arrays in the slots."""
        return dict(self._slots.arrays)

    @property
    def coords(self) -> dict[str, np.ndarray]:
        """Labels of the dimensions."""
        return dict(self._slots.coords)

    @property
    def lengths(self) -> dict[str, int]:
        """Lengths of the data axes."""
        return dict(self._slots.lengths)

    @property
    def sizes(self) -> consistency.Sizes:
        """Lengths, as the data ask for them, and what was left behind by `set_data`."""
        return consistency.sizes(self.spec, self._slots)

    def __getitem__(self, name: str) -> Node:
        if name not in self.spec.named:
            raise unknown("variable", name, self.spec.named)
        return self.spec.named[name]

    def add_coords(self, coords: Mapping[str, Any]) -> None:
        """Give dimensions their labels.

        Raises
        ------
        ModelError
            A dimension cannot be called so, or its labels are not a list.
        """
        if not isinstance(coords, Mapping):
            raise OptionError(f"coords={coords!r} is no mapping, such as {{'school': ['A', 'B']}}")
        for dim, labels in coords.items():
            self._check_name(dim)
            array = np.asarray(labels)
            if array.ndim != 1:
                raise ModelError(f"coords of '{dim}' are not a list of labels, such as range(3)")
            self._slots.coords[dim] = array
            self._names.add(dim)

    def slot(self, name: str, value: Any, dims: Dims = None, dtype: Any = None) -> Node:
        """Declare a data slot that `set_data` can fill anew; see `Data`."""
        self._check_name(name)
        node = self._slots.add(name, value, self._dims(name, dims, new=True), dtype)
        self._names.add(name)
        return node

    def claim(self, owner: str, part: str, value: Any) -> Node:
        """Expression of `value`, in which arrays have slots that are called ``owner.part``."""
        return self._slots.claim(owner, part, verify.expression(owner, value))

    def rv(
        self,
        name: str,
        dist: Dist,
        *,
        observed: Any = None,
        dims: Dims = None,
        shape: int | Sequence[int] | None = None,
        transform: Transform | str | None = "default",
        weight: Any = None,
        mask: Any = None,
        reduce: str = "sum",
        likelihood: bool = True,
    ) -> Node:
        """Declare a random variable.

        Parameters
        ----------
        name : str
            An identifier.
        dist : Dist
        observed : array or Data, optional
            Makes it an observed variable. Entries that are NaN or masked, and not left out by
            `mask`, are imputed: they become the free variable ``NAME_unobserved``, and results
            hold `name` with them put in.
        dims : str or sequence of str, optional
            Dimension of each axis; a free variable takes its lengths from their coordinates.
        shape : int or sequence of int, optional
            Of a free variable; by default what its parameters broadcast to.
        transform : Transform or str or None
            How NUTS moves a free variable, of ``ed.transforms`` or by the name it has there:
            "default" goes by its support, None leaves it as it is.
        weight, mask, reduce
            Of an observed variable: see `model.Variable`.
        likelihood : bool
            False leaves an observed variable out of the log-density. Without observed values the
            variable is then not sampled: it is drawn in prediction, and may be discrete.

        Returns
        -------
        Node
            The variable, for use in expressions.

        Raises
        ------
        ModelError
            One of its kinds, naming the variable.
        """
        self._check_name(name)
        names = self._dims(name, dims)
        slots = self._slots
        if not isinstance(dist, Dist):
            raise OptionError(f"'{name}': {dist!r} is no distribution; use one such as ed.Normal")
        draws = draws_of(dist)
        dist = verify.settled(slots, name, dist)
        if observed is None:
            given = weight is not None or mask is not None
            if given or reduce != "sum":
                raise OptionError(f"'{name}': weight, mask and reduce need observed=")
            declare = free if likelihood else predicted
            variable = declare(slots, name, dist, shape, names, transform)
        else:
            if transform != "default" or shape is not None:
                raise OptionError(
                    f"'{name}' is observed and takes neither transform= nor shape=: it has the "
                    "shape of its data, and in prediction that of its parameters"
                )
            variable = seen(slots, name, dist, observed, names, weight, mask, reduce, likelihood)
            for part in variable.shares:
                self._check_name(part)
        consistency.check_variable(variable, slots.arrays, slots.lengths, self._known)
        if likelihood or observed is not None:
            verify.check_sampled(name, self._later, *variable.parts())
        else:
            self._later.add(name)
        self._variables.append(variable)
        self._names.update((name, *variable.shares))
        self._own.add(variable.node)
        if variable.observed is not None:
            self._known[variable.node] = variable.value
        if draws:
            self.draws[name] = draws
        return variable.node

    def observe(
        self,
        name: str,
        expression: Any,
        value: Any,
        *,
        dims: Dims = None,
        weight: Any = None,
        mask: Any = None,
        reduce: str = "sum",
        likelihood: bool = True,
    ) -> Node:
        """Observe an expression of a free variable, such as ``a * x + b`` or ``A @ x``.

        Returns
        -------
        Node
            What was observed, for use in other expressions.
        """
        self._check_name(name)
        slots = self._slots
        node = self.claim(name, "expr", expression)
        sampled = {v.name for v in self.spec.free}
        if node.op is Op.VAR:
            raise ModelError(f"'{name}': give observed= to the distribution of '{node.arg}' itself")
        if sampled.isdisjoint(leaves(node)):
            raise ModelError(f"'{name}': the expression has no free variable in it")
        verify.check_sampled(name, self._later, node)
        names = self._dims(name, dims)
        leaf = verify.observed_leaf(slots, name, value, names)
        names = names or slots.slots[str(leaf.arg)].dims
        terms = verify.terms_of(slots, name, weight, mask, reduce)
        verify.fits(slots.lengths, name, node - as_float(leaf), *terms[:2])
        observation = Observation(name, node, leaf, names, *terms, likelihood)
        self._observations.append(observation)
        self._names.add(name)
        self._known[observation.leaf] = leaf
        self._own.add(observation.leaf)
        return observation.leaf

    def deterministic(self, name: str, expression: Any, dims: Dims = None) -> Node:
        """Name an expression, whose values are then kept beside the draws."""
        self._check_name(name)
        slots = self._slots
        node = self.claim(name, "expr", expression)
        names = self._dims(name, dims)
        verify.fits(slots.lengths, name, node)
        if names:
            slots.check_dims(name, slots.extents(node.shape), names)
        names = names or (None,) * node.ndim
        self._deterministics.append(Deterministic(name, node, names))
        self._names.add(name)
        return node

    def potential(self, name: str, expression: Any) -> Node:
        """Add an expression, summed over its elements, to the log-density."""
        self._check_name(name)
        slots = self._slots
        node = as_float(self.claim(name, "expr", expression))
        verify.check_sampled(name, self._later, node)
        verify.fits(slots.lengths, name, node)
        self._potentials.append(Potential(name, node))
        self._names.add(name)
        return node

    def set_data(self, values: Mapping[str, Any], coords: Mapping[str, Any] | None = None) -> None:
        """Put other arrays into data slots; their lengths may differ, the record stays.

        Where predictors come with another length and observed values do not, the model can predict
        (``sample_posterior_predictive(..., predictions=True)``) and cannot be sampled.

        Parameters
        ----------
        values : mapping
            Slot name -> array. An array written into a declaration is called
            ``variable.parameter``, observed values ``variable.observed``.
        coords : mapping, optional
            New labels for dimensions whose length changes.

        Raises
        ------
        ModelError
            One of its kinds; the model then keeps the data it had.
        """
        slots, before = self._slots, (dict(self._slots.arrays), self._slots.coords)
        for dim in coords or {}:
            if dim not in slots.coords:
                raise unknown("dimension", dim, slots.coords)
        try:
            values = with_gaps(self._variables, slots.arrays, values)
            slots.fill(slots.exchanged(values))
            slots.coords = slots.coords | {d: np.asarray(c) for d, c in (coords or {}).items()}
            consistency.check_data(self.spec, slots, values)
        except ModelError:
            slots.fill(before[0])
            slots.coords = before[1]
            raise

    def check_observed(self) -> None:
        """Raise ShapeError where `set_data` left observed values behind those of predictors."""
        consistency.check_not_behind(self.spec, self._slots)

    def logp(self, values: Mapping[str, Any]) -> float:
        """Joint log-density at values of the free variables on their own scale.

        No Jacobian of a transform is added; ``joint.joint`` gives the terms one by one.
        """
        self.check_observed()
        return sum(joint(self.spec, self._slots.arrays, values).values())

    def _hold(self, spec: ModelSpec, data: dict[str, np.ndarray], coords: dict[str, Any]) -> None:
        """Hold a record that was declared before."""
        self._variables += spec.variables
        self._deterministics += spec.deterministics
        self._potentials += spec.potentials
        self._observations += spec.observations
        self._known, self._closed, self._final = spec.known, True, spec
        self._slots.slots = {slot.name: slot for slot in spec.slots}
        self._slots.fill(data)
        self._slots.coords = coords

    def _check_open(self, what: str) -> None:
        if self._closed:
            raise FrozenError(f"the model is closed; to {what}, declare a new one")

    def _check_name(self, name: Any) -> None:
        self._check_open(f"add '{name}'")
        verify.check_name(name)
        if name in self._names:
            raise DuplicateName(f"'{name}' is the name of something else in this model already")

    def _dims(self, name: str, dims: Dims, new: bool = False) -> Names:
        """Names of dimensions as a tuple; only data may bring `new` ones."""
        names = () if dims is None else (dims,) if isinstance(dims, str) else tuple(dims)
        verify.check_once(name, names)
        known = self._slots.dims if any(names) else {}
        for dim in names:
            if dim is not None and dim not in known:
                if not new:
                    raise unknown(f"dimension for '{name}' called", str(dim), known)
                self._check_name(dim)
        self._names.update(dim for dim in names if dim is not None)
        return names
