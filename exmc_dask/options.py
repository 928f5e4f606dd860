"""What callers pass to public functions: the model, seeds, names, options that do not exist."""

import inspect
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np

from exmc_dask.dist.opened import open_model
from exmc_dask.errors import ModelError, OptionError
from exmc_dask.language.builder import Builder, Model


@dataclass(frozen=True)
class Place:
    """Where work is done and what is shown meanwhile; the options of `exmc_dask.sample`.

    ``halts`` says that a Ctrl-C is to end the work with what there is, and not to be raised.
    """

    client: Any = None
    cluster: Any = None
    progressbar: Any = True
    halts: bool = False


# Options of PyMC's functions on draws that mean something else here: what to use instead.
FORWARD = {
    "samples": "it is called draws",
    "return_inferencedata": "the result is always an xarray DataTree",
    "idata_kwargs": "the result is an xarray DataTree; change it afterwards",
    "compile_kwargs": "nothing is compiled; NumPy calculates many draws at once",
    "backend": "nothing is compiled; NumPy calculates many draws at once",
    "extend_dataset": "merge_dataset=True returns the draws together with what is calculated",
    "keep_size": "every draw of the trace gives one; choose some with trace.sel(draw=...)",
    "seed": "it is called random_seed",
}


def model_of(function: str, given: Any = None) -> Model:
    """Return the model that was given, or the open one.

    Raises
    ------
    OptionError, ModelError
        What was given is no model, or there is none.
    """
    model = open_model.get() if given is None else given
    if isinstance(model, Builder):
        raise OptionError(
            f"{function} was given a Builder; end it with .build(), which gives the model"
        )
    if model is None:
        raise ModelError("no model was given: pass it first, or call inside `with ed.Model()`")
    if not isinstance(model, Model):
        raise OptionError(f"model={model!r} is not an ed.Model")
    return model


def model_and_counts(
    function: str, first: Sequence[Any], model: Any, counts: Sequence[str]
) -> tuple[Model, tuple[int, ...]]:
    """Tell a model given first from whole numbers given by place, which are called `counts`."""
    given = list(first)
    if given and isinstance(given[0], Model | Builder):
        if model is not None:
            raise OptionError("two models were given: one first and one as model=")
        model = given.pop(0)
    if len(given) > len(counts) or not all(isinstance(n, int | np.integer) for n in given):
        raise OptionError(f"{function} takes a model and then at most {', '.join(counts)} by place")
    return model_of(function, model), tuple(map(int, given))


def trace_and_model(function: str, trace: Any, model: Any) -> tuple[Any, Model]:
    """Tell the draws from the model, which may stand first or second or be open."""
    if isinstance(trace, Model | Builder):
        trace, model = model, trace
    return trace, model_of(function, model)


def refuse(
    function: Callable[..., Any], unknown: Iterable[str], elsewhere: Mapping[str, str]
) -> None:
    """Raise OptionError for the first of some options that `function` does not have.

    Parameters
    ----------
    function : callable
        Its signature ends in ``**unknown``; what stands before are the options that it has.
    unknown : iterable of str
    elsewhere : mapping
        Options of other libraries -> what stands for them here.
    """
    for name in unknown:
        called = f"{function.__name__} has no option {name!r}"
        if name in elsewhere:
            raise OptionError(f"{called}: {elsewhere[name]}")
        kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        parameters = inspect.signature(function).parameters.values()
        known = [p.name for p in parameters if p.kind not in kinds]
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
        raise OptionError(f"{called}; {hint}")


def seed_of(random_seed: Any) -> int:
    """Return the seed that was given, or a fresh one."""
    if random_seed is None:
        return secrets.randbits(53)
    whole = isinstance(random_seed, int | np.integer) and not isinstance(random_seed, bool)
    if not whole or not 0 <= random_seed < 2**63:
        raise OptionError(
            f"random_seed={random_seed!r} is not possible; give a whole number, 0 or above"
        )
    return int(random_seed)


def names_of(option: str, given: str | Iterable[str] | None) -> tuple[str, ...] | None:
    """Return one name or several as a tuple without repeats; None where nothing was given."""
    if given is None:
        return None
    names = (given,) if isinstance(given, str) else tuple(given)
    if not names or not all(isinstance(name, str) for name in names):
        raise OptionError(f"{option}={given!r} is not possible; give names of variables")
    return tuple(dict.fromkeys(names))
