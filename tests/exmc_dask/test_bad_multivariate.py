"""What users get wrong with vectors, matrices and transforms: one row a mistake."""

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask import errors
from tests.exmc_dask.mistakes import Mistake, caught, declared, var

MISTAKES: dict[str, Mistake] = {
    "transform of a vector for a scalar": (
        declared(lambda m: ed.Normal("y", 0, 1, transform="ordered")),
        errors.ShapeError, ("'y'", "'ordered'", "last axis"),
    ),
    "transform of matrices for a vector": (
        declared(lambda m: ed.Flat("y", shape=3, transform=ed.transforms.cholesky_corr)),
        errors.ShapeError, ("'y'", "'cholesky_corr'", "square matrices"),
    ),
    "triangle of no matrix": (
        declared(lambda m: ed.math.expand_packed_triangular(3, var(m, "tau"))),
        errors.ShapeError, ("3 rows has 6 elements", "(8,)"),
    ),
    "a batch of covariances as data": (
        declared(lambda m: ed.MvNormal("y", cov=np.stack([np.eye(2), np.eye(2)]))),
        errors.ShapeError, ("'y'", "ed.math.stack([first, second])"),
    ),
    "rows of a table of vectors whose size only data know": (
        declared(lambda m: ed.MvNormal("y", cov=np.eye(2), observed=np.zeros((4, 3, 2)))),
        errors.ShapeError, ("'y'", "rows of a matrix"),
    ),
    "a covariance that is not square": (
        declared(lambda m: ed.MvStudentT("y", 4, cov=np.ones((2, 3)))),
        errors.ShapeError, ("'y'", "2 and 3", "y.scale"),
    ),
    "two matrices": (
        declared(lambda m: ed.MvStudentT("y", 4, scale=np.eye(2), chol=np.eye(2))),
        errors.OptionError, ("'y'", "exactly one of scale, tau, chol"),
    ),
    "counts with another sum": (
        declared(lambda m: ed.Multinomial("y", 9, [0.5, 0.5], observed=[[4, 5], [4, 4]])),
        errors.SupportError, ("'y'", "[1, 0] is 4", "whole numbers that sum to 9"),
    ),
    "probabilities that do not sum to 1": (
        declared(lambda m: ed.Multinomial("y", 9, [0.5, 0.4], observed=[4, 5])),
        errors.SupportError, ("'y'", "p of Multinomial", "sum to 1"),
    ),
    "free counts": (
        declared(lambda m: ed.DirichletMultinomial("y", 9, [1.0, 2.0])),
        errors.DiscreteError, ("'y'", "observed="),
    ),
    "a correlation of one variable": (
        declared(lambda m: ed.LKJCorr("y", 1, 2)),
        errors.OptionError, ("'y'", "n is 1", "2 or more"),
    ),
    "a size that is an expression": (
        declared(lambda m: ed.LKJCorr("y", var(m, "mu"), 2)),
        errors.OptionError, ("'y'", "n is", "the shape depends on it"),
    ),
    "a size that is no whole number": (
        declared(lambda m: ed.StickBreakingWeights("y", 2, 2.5)),
        errors.OptionError, ("'y'", "K is 2.5", "a whole number"),
    ),
    "eta that is not positive": (
        declared(lambda m: ed.LKJCorr("y", 3, 0)),
        errors.SupportError, ("'y'", "eta of LKJCorr must be positive"),
    ),
    "a factor of another size": (
        declared(lambda m: ed.LKJCorr("y", 3, 1, shape=(2, 2))),
        errors.ShapeError, ("'y'", "(3, 3)", "(2, 2)"),
    ),
    "deviations that are a number": (
        declared(lambda m: ed.LKJCholeskyCov("y", eta=1, n=2, sd_dist=1.0)),
        errors.OptionError, ("'y'", "sd_dist takes distributions"),
    ),
    "deviations that may be negative": (
        declared(lambda m: ed.LKJCholeskyCov("y", eta=1, n=2, sd_dist=ed.Normal.dist(0, 1))),
        errors.OptionError, ("'y'", "(-inf, inf)", "positive numbers"),
    ),
    "deviations with a size": (
        declared(lambda m: ed.Exponential.dist(1.0, size=3)),
        errors.OptionError, ("'size'", "leave it out"),
    ),
    "more deviations than variables": (
        declared(lambda m: ed.LKJCholeskyCov(
            "y", eta=1, n=2, sd_dist=ed.Exponential.dist([1.0, 2.0, 3.0])
        )),
        errors.ShapeError, ("'y'", "3 and 2", "y.lam"),
    ),
    "an option that is no choice": (
        declared(lambda m: ed.LKJCholeskyCov(
            "y", eta=1, n=2, sd_dist=ed.Exponential.dist(1), compute_corr="no"
        )),
        errors.OptionError, ("'y'", "compute_corr='no'"),
    ),
    "an observed factor to unpack": (
        declared(lambda m: ed.LKJCholeskyCov(
            "y", eta=1, n=2, sd_dist=ed.Exponential.dist(1), observed=[1.0, 0.1, 2.0]
        )),
        errors.OptionError, ("'y'", "compute_corr=False"),
    ),
    "effects of unknown number": (
        declared(lambda m: ed.ZeroSumNormal("y", 1)),
        errors.ShapeError, ("'y'", "needs shape= or dims="),
    ),
    "one effect": (
        declared(lambda m: ed.ZeroSumNormal("y", 1, shape=(3, 1))),
        errors.ShapeError, ("'y'", "'sum_to_zero'", "2 or more"),
    ),
    "a deviation for each effect": (
        declared(lambda m: ed.ZeroSumNormal("y", [1.0, 2.0], shape=2)),
        errors.ShapeError, ("'y'", "sigma has shape", "length 1"),
    ),
    "effects that do not sum to 0": (
        declared(lambda m: ed.ZeroSumNormal("y", 1, observed=[1.0, -1.0, 0.5])),
        errors.SupportError, ("'y'", "vectors that sum to 0"),
    ),
    "no axes": (
        declared(lambda m: ed.ZeroSumNormal("y", 1, n_zerosum_axes=0, shape=3)),
        errors.OptionError, ("'y'", "n_zerosum_axes is 0", "1 or more"),
    ),
    "no graph": (
        declared(lambda m: ed.ICAR("y", sigma=2)),
        errors.OptionError, ("'y'", "either W", "or edges"),
    ),
    "two graphs": (
        declared(lambda m: ed.ICAR("y", np.ones((2, 2)), edges=[[0, 1]])),
        errors.OptionError, ("'y'", "either W"),
    ),
    "a deviation of the field twice": (
        declared(lambda m: ed.ICAR("y", [[0, 1], [1, 0]], 2.0, sigma=1.0)),
        errors.OptionError, ("'y'", "'sigma' is given twice"),
    ),
    "more than a field takes": (
        declared(lambda m: ed.ICAR("y", [[0, 1], [1, 0]], 2.0, 0.1, 5)),
        errors.OptionError, ("'y'", "'n' is given twice"),
    ),
    "neighbours on one side only": (
        declared(lambda m: ed.ICAR("y", [[0, 1], [0, 0]])),
        errors.DataError, ("'y'", "W must be a symmetric matrix of 0 and 1"),
    ),
    "an island": (
        declared(lambda m: ed.ICAR("y", [[0, 1, 0], [1, 0, 0], [0, 0, 0]])),
        errors.DataError, ("'y'", "region 2 has no neighbours"),
    ),
    "two islands": (
        declared(lambda m: ed.ICAR("y", edges=[[0, 1], [2, 3]])),
        errors.SupportError, ("'y'", "edges", "connect"),
    ),
    "a neighbour of itself": (
        declared(lambda m: ed.ICAR("y", edges=[[0, 1], [1, 1]])),
        errors.SupportError, ("'y'", "edges", "[1, 0] is 1"),
    ),
    "edges of one end": (
        declared(lambda m: ed.ICAR("y", edges=[0, 1])),
        errors.DataError, ("'y'", "edges must be an array of whole numbers"),
    ),
    "a field of another length": (
        declared(lambda m: ed.ICAR("y", edges=[[0, 1], [1, 2]], dims="school")),
        errors.ShapeError, ("'y'", "(3,)", "(8,)"),
    ),
    "no map": (
        declared(lambda m: ed.CAR("y", 0, alpha=0.5, tau=1)),
        errors.OptionError, ("'y'", "CAR takes mu, W, alpha, tau"),
    ),
    "what follows from the map": (
        declared(lambda m: ed.CAR("y", 0, [[0, 1], [1, 0]], 0.5, 1, degrees=[1, 1])),
        errors.OptionError, ("'y'", "'degrees' follows from W"),
    ),
    "regions that lean too far": (
        declared(lambda m: ed.CAR("y", 0, [[0, 1], [1, 0]], 1.0, 1)),
        errors.SupportError, ("'y'", "alpha of CAR must be above -1 and below 1"),
    ),
    "another map": (
        declared(lambda m: (
            ed.CAR("y", 0, np.eye(3, k=1) + np.eye(3, k=-1), 0.5, 1),
            m.set_data({"y.edges": [[0, 1], [0, 2]]}),
        )),
        errors.SupportError, ("'y'", "not those of the edges"),
    ),
    "another graph of fewer regions": (
        declared(lambda m: (
            ed.ICAR("y", edges=[[0, 1], [1, 2]]), m.set_data({"y.edges": [[0, 1]]})
        )),
        errors.SupportError, ("'y'", "edges connect 2 regions", "with 3"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named(mistake: str) -> None:
    caught(MISTAKES[mistake])
