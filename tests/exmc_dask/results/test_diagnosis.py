"""Each check finds its trouble, and none finds any in independent draws."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

from exmc_dask.errors import OptionError, UnknownName
from exmc_dask.results.diagnosis import CHECKS, diagnose, summary

SHAPE = (4, 400)


def trace(n_chains: int = 4, n_draws: int = 400, **changes: Any) -> xr.DataTree:
    """Independent normal draws, with the arrays named in ``changes`` put in their place."""
    rng = np.random.default_rng(7)
    shape = (n_chains, n_draws)
    arrays: dict[str, Any] = {
        "mu": rng.normal(size=shape),
        "theta": rng.normal(size=(*shape, 2)),
        "energy": rng.normal(size=shape),
        "diverging": np.zeros(shape, bool),
        "reached_max_treedepth": np.zeros(shape, bool),
        "tree_depth": np.full(shape, 3),
        **changes,
    }
    dims = ("chain", "draw", "school")
    groups: dict[str, dict[str, xr.Variable]] = {"posterior": {}, "sample_stats": {}}
    for name, array in arrays.items():
        group = "posterior" if name in ("mu", "theta") else "sample_stats"
        groups[group][name] = xr.Variable(dims[: array.ndim], np.asarray(array))
    coords = {"chain": np.arange(n_chains), "draw": np.arange(n_draws)}
    return xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(groups["posterior"], {**coords, "school": ["A", "B"]}),
            "sample_stats": xr.Dataset(groups["sample_stats"], coords),
        }
    )


def walk(shape: tuple[int, ...]) -> np.ndarray:
    """Draws that hardly move, the same in each chain: few are worth anything."""
    steps = np.random.default_rng(1).normal(size=(1, *shape[1:]))
    return np.broadcast_to(np.sin(np.cumsum(steps, axis=1) / 20), shape)


TROUBLES = {
    "divergences": ({"diverging": np.arange(1600).reshape(SHAPE) % 100 == 0}, "16 of 1600"),
    "rhat": ({"mu": trace().posterior.mu + 0.2 * np.arange(4)[:, None]}, "mu (1.0"),
    "ess": ({"mu": walk(SHAPE)}, "mu ("),
    "bfmi": ({"energy": np.cumsum(np.ones(SHAPE), axis=1)}, "chain 0 (0.00), 1"),
    "treedepth": ({"reached_max_treedepth": np.ones(SHAPE, bool)}, "100.0%"),
}


def nested(found: xr.DataTree, superchains: list[int]) -> xr.DataTree:
    """The same draws of chains that are said to have shared starting points."""
    beside = {"superchain": ("chain", superchains)}
    groups = {name: node.to_dataset() for name, node in found.children.items()}
    return xr.DataTree.from_dict({n: group.assign_coords(beside) for n, group in groups.items()})


def test_superchains_are_judged_by_nested_rhat() -> None:
    changes, _ = TROUBLES["rhat"]

    assert "Nested R-hat" in str(diagnose(nested(trace(**changes), [0, 0, 1, 1]))[0])
    assert diagnose(nested(trace(), [0, 0, 1, 1])) == []


@pytest.mark.parametrize(("superchains", "n_draws"), [(2, 1), (4, 3), (4, 100)])
def test_many_short_chains_are_no_trouble_where_superchains_agree(
    superchains: int, n_draws: int
) -> None:
    found = nested(trace(2000, n_draws), [chain // (2000 // superchains) for chain in range(2000)])

    assert [finding.check for finding in diagnose(found)] == []


@pytest.mark.parametrize(("superchains", "n_draws"), [([0, 1, 2, 3], 3), ([0, 0, 0, 0], 400)])
def test_superchains_of_one_short_chain_or_a_single_one_cannot_be_judged(
    superchains: list[int], n_draws: int
) -> None:
    assert [f.check for f in diagnose(nested(trace(4, n_draws), superchains))] == ["length"]


def test_independent_draws_have_no_finding() -> None:
    assert diagnose(trace()) == []


@pytest.mark.parametrize("check", TROUBLES)
def test_each_trouble_is_found_and_located(check: str) -> None:
    changes, said = TROUBLES[check]

    found = {finding.check: finding for finding in diagnose(trace(**changes))}

    assert said in str(found[check])
    assert found[check].advice


def test_every_check_has_a_trouble() -> None:
    assert [check.__name__ for check in CHECKS] == ["_length", *(f"_{name}" for name in TROUBLES)]


@pytest.mark.parametrize(("n_chains", "n_draws"), [(1, 400), (4, 3), (4, 0)])
def test_too_little_to_judge_is_said(n_chains: int, n_draws: int) -> None:
    assert [finding.check for finding in diagnose(trace(n_chains, n_draws))] == ["length"]


def test_what_never_changes_is_not_judged() -> None:
    assert diagnose(trace(mu=np.ones(SHAPE))) == []


def test_one_divergence_in_a_thousand_is_found_but_one_cut_tree_is_not() -> None:
    once = np.zeros(SHAPE, bool)
    once[2, 5] = True

    found = diagnose(trace(diverging=once, reached_max_treedepth=once))

    assert [finding.check for finding in found] == ["divergences"]


def test_names_choose_what_is_judged() -> None:
    changes, _ = TROUBLES["rhat"]

    assert diagnose(trace(**changes), var_names=["theta"]) == []
    with pytest.raises(UnknownName, match=r"no tau; it has mu, theta"):
        diagnose(trace(), var_names=["tau"])


def test_only_a_posterior_can_be_judged() -> None:
    with pytest.raises(OptionError, match="posterior"):
        diagnose(xr.DataTree())


def test_the_sampler_is_judged_only_where_it_left_statistics() -> None:
    bare = xr.DataTree.from_dict({"posterior": trace()["posterior"].to_dataset()})

    assert diagnose(bare) == []


def test_summary_is_arviz() -> None:
    assert list(summary(trace(), round_to=2).index) == ["mu", "theta[A]", "theta[B]"]
