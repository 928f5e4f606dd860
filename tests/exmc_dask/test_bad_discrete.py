"""What users get wrong with distributions of whole numbers: one row a mistake."""

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask import errors
from exmc_dask.dist import is_discrete
from tests.exmc_dask.mistakes import Mistake, caught, declared, var
from tests.exmc_dask.references.table import CASES

DISCRETE = [name for name, case in CASES.items() if is_discrete(case.dist(**case.params))]

MISTAKES: dict[str, Mistake] = {
    "a count and a chance of it": (
        declared(lambda m: ed.NegativeBinomial("y", mu=3, p=0.5, alpha=1, observed=[1])),
        errors.OptionError, ("'y'", "exactly one of mu, log_mu, p"),
    ),
    "a spread left out": (
        declared(lambda m: ed.NegativeBinomial("y", 3, observed=[1])),
        errors.OptionError, ("'y'", "'alpha' is missing"),
    ),
    "failures before half a success": (
        declared(lambda m: ed.NegativeBinomial("y", p=1.5, n=2, observed=[1])),
        errors.SupportError, ("'y'", "p of NegativeBinomial", "between 0 and 1"),
    ),
    "no trials at all": (
        declared(lambda m: ed.Geometric("y", 0.5, observed=[0, 1])),
        errors.SupportError, ("'y'", "[0] is 0", "whole numbers in [1, inf)"),
    ),
    "half a trial": (
        declared(lambda m: ed.BetaBinomial("y", [3.0, 2.5], 1, 1, observed=[1, 1])),
        errors.SupportError, ("'y'", "n of BetaBinomial", "[1] is 2.5"),
    ),
    "more successes than there are": (
        declared(lambda m: ed.HyperGeometric("y", N=10, k=4, n=5, observed=[0, 5])),
        errors.SupportError, ("'y'", "[1] is 5", "HyperGeometric"),
    ),
    "fewer successes than there must be": (
        declared(lambda m: ed.HyperGeometric("y", [10, 10], 7, 5, observed=[1, 2])),
        errors.SupportError, ("'y'", "[0] is 1"),
    ),
    "bounds that are no whole numbers": (
        declared(lambda m: ed.DiscreteUniform("y", 0.5, 4, observed=[1])),
        errors.SupportError, ("'y'", "lower", "a whole number"),
    ),
    "bounds that fall": (
        declared(lambda m: ed.DiscreteUniform("y", 5, 1, observed=[3])),
        errors.SupportError, ("'y'", "[0] is 3", "[5, 1]"),
    ),
    "a category that does not exist": (
        declared(lambda m: ed.Categorical("y", [0.5, 0.5], observed=[0, 2])),
        errors.SupportError, ("'y'", "[1] is 2", "whole numbers in [0, 1]"),
    ),
    "categories counted from one": (
        declared(lambda m: ed.Categorical("y", logit_p=var(m, "tau"), observed=[1, 8])),
        errors.SupportError, ("'y'", "[1] is 8", "[0, 7]"),
    ),
    "shares that do not sum to 1": (
        declared(lambda m: ed.Categorical("y", [0.5, 0.4], observed=[0])),
        errors.SupportError, ("'y'", "p of Categorical", "sum to 1"),
    ),
    "cutpoints that fall": (
        declared(lambda m: ed.OrderedLogistic("y", 0, [1.0, 1.0], observed=[0])),
        errors.SupportError, ("'y'", "cutpoints", "rising", "[1] is 1"),
    ),
    "a grade above the last cutpoint": (
        declared(lambda m: ed.OrderedProbit("y", 0, [0.0, 1.0], observed=[3])),
        errors.SupportError, ("'y'", "[0] is 3", "[0, 2]"),
    ),
    "an option of PyMC": (
        declared(lambda m: ed.OrderedLogistic("y", 0, [0.0, 1.0], compute_p=False, observed=[0])),
        errors.OptionError, ("'y'", "'compute_p'", "ed.Deterministic"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named(mistake: str) -> None:
    caught(MISTAKES[mistake])


@pytest.mark.parametrize("name", DISCRETE)
def test_a_free_discrete_variable_is_refused(name: str) -> None:
    case = CASES[name]

    def declare(model: ed.Model) -> None:
        model.rv("z", case.dist(**{k: np.asarray(v) for k, v in case.params.items()}))

    caught((declared(declare), errors.DiscreteError, ("'z'", "observed=", "ed.Mixture")))
