"""What a model shows of itself, and PyMC's functions for the same."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from exmc_dask.dist.opened import current
from exmc_dask.errors import OptionError
from exmc_dask.language.model import ModelSpec
from exmc_dask.rewrite import Choice
from exmc_dask.views.diagram import diagram
from exmc_dask.views.dot import Dot, dot
from exmc_dask.views.explain import explain
from exmc_dask.views.html import html
from exmc_dask.views.mermaid import Mermaid, mermaid
from exmc_dask.views.printed import Printed


class Display(ABC):
    """Views of a model, inherited by what has its record and its data."""

    @property
    @abstractmethod
    def spec(self) -> ModelSpec:
        """The record of all declarations so far."""

    @property
    @abstractmethod
    def lengths(self) -> Mapping[str, int]:
        """Lengths of the data axes, with the data as they are now."""

    def __repr__(self) -> str:
        return repr(self.spec)

    def _repr_html_(self) -> str:
        return html(self.spec)

    def explain(self, ncp: Choice = "auto") -> Printed:
        """Say line by line how the model is sampled.

        The declarations; what each rewriting pass makes of them; what is calculated from data
        alone, once; the numbers that NUTS moves. `ncp` is that of ``ed.sample``.
        """
        return explain(self.spec, ncp=ncp)

    def to_graphviz(
        self,
        *,
        var_names: Sequence[str] | None = None,
        formatting: str = "plain",
        include_dim_lengths: bool = True,
    ) -> Dot:
        """Return the graph of the model as DOT text; see `model_to_graphviz`."""
        return dot(diagram(self.spec, self.lengths, var_names, formatting, include_dim_lengths))

    def to_mermaid(
        self,
        *,
        var_names: Sequence[str] | None = None,
        formatting: str = "plain",
        include_dim_lengths: bool = True,
    ) -> Mermaid:
        """Return the graph of the model as Mermaid text; see `model_to_mermaid`."""
        return mermaid(diagram(self.spec, self.lengths, var_names, formatting, include_dim_lengths))


def model_to_graphviz(
    model: Display | None = None,
    *,
    var_names: Sequence[str] | None = None,
    formatting: str = "plain",
    include_dim_lengths: bool = True,
) -> Dot:
    """Return the graph of a model as DOT text, with a plate for every combination of dimensions.

    Parameters
    ----------
    model : Model, optional
        The open one by default.
    var_names : sequence of str, optional
        Only these, and all they depend on.
    formatting : "plain" or "plain_with_params"
        Distributions by name, or with their parameters.
    include_dim_lengths : bool
        Whether plates say how long their dimensions are.

    Returns
    -------
    str
        A notebook draws it where Graphviz' program ``dot`` is installed. PyMC returns an object of
        the package graphviz, which this package does not need: ``graphviz.Source(text)`` is one.
    """
    return _or_open(model).to_graphviz(
        var_names=var_names, formatting=formatting, include_dim_lengths=include_dim_lengths
    )


def model_to_mermaid(
    model: Display | None = None,
    *,
    var_names: Sequence[str] | None = None,
    formatting: str = "plain",
    include_dim_lengths: bool = True,
) -> Mermaid:
    """Return the graph of a model as Mermaid text; the options are those of `model_to_graphviz`.

    Returns
    -------
    str
        GitHub draws it in a block called ``mermaid``, JupyterLab as the value of a cell.
    """
    return _or_open(model).to_mermaid(
        var_names=var_names, formatting=formatting, include_dim_lengths=include_dim_lengths
    )


def _or_open(model: Display | None) -> Display:
    found = current() if model is None else model
    if not isinstance(found, Display):
        raise OptionError(f"{found!r} is not an ed.Model")
    return found
