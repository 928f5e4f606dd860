"""The posteriors of posteriordb that are checked here, written in the public language.

Models, parameter names and transformations of the data follow the Stan programs of posteriordb
(stan-dev/posteriordb): ``beta[1]`` is the intercept, flat priors are flat, logarithms are natural,
standard deviations have ``ddof=1``.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

import exmc_dask as ed

type Data = Mapping[str, Any]
type Column = Callable[[Mapping[str, np.ndarray]], np.ndarray]


def _z(x: np.ndarray, scale: float = 1.0) -> np.ndarray:
    return (x - x.mean()) / (scale * x.std(ddof=1))


def _centred(x: np.ndarray) -> np.ndarray:
    return x - x.mean()


def _log_volume(d: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.log(d["diam1"] * d["diam2"] * d["canopy_height"])


def _log_area(d: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.log(d["diam1"] * d["diam2"])


def _log_shape(d: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.log(d["diam1"] / d["diam2"])


def _column(name: str) -> Column:
    return lambda d: d[name]


def _log(name: str) -> Column:
    return lambda d: np.log(d[name])


def _is(name: str, value: int) -> Column:
    return lambda d: d[name] == value


def _product(left: Column, right: Column) -> Column:
    return lambda d: left(d) * right(d)


def _z_height(d: Mapping[str, np.ndarray]) -> np.ndarray:
    return _z(d["height"])


HS, IQ = _column("mom_hs"), _column("mom_iq")
KIDIQ: dict[str, tuple[Column, ...]] = {
    "kidiq-kidscore_momhs": (HS,),
    "kidiq-kidscore_momiq": (IQ,),
    "kidiq-kidscore_momhsiq": (HS, IQ),
    "kidiq-kidscore_interaction": (HS, IQ, _product(HS, IQ)),
}


def _pair(left: Column, right: Column) -> tuple[Column, Column, Column]:
    return left, right, _product(left, right)


MEASURES = ("diam1", "diam2", "canopy_height", "total_height", "density")
GROUP = _column("group")

# posterior -> (response, columns after the intercept); sigma is flat on the positive numbers
FLAT_REGRESSIONS: dict[str, tuple[Column, tuple[Column, ...]]] = {
    "earnings-earn_height": (_column("earn"), (_column("height"),)),
    "earnings-logearn_height": (_log("earn"), (_column("height"),)),
    "earnings-log10earn_height": (lambda d: np.log10(d["earn"]), (_column("height"),)),
    "earnings-logearn_height_male": (_log("earn"), (_column("height"), _column("male"))),
    "earnings-logearn_interaction": (_log("earn"), _pair(_column("height"), _column("male"))),
    "earnings-logearn_interaction_z": (_log("earn"), _pair(_z_height, _column("male"))),
    "earnings-logearn_logheight_male": (_log("earn"), (_log("height"), _column("male"))),
    "kidiq_with_mom_work-kidscore_interaction_c": (
        _column("kid_score"),
        _pair(lambda d: _centred(d["mom_hs"]), lambda d: _centred(d["mom_iq"])),
    ),
    "kidiq_with_mom_work-kidscore_interaction_c2": (
        _column("kid_score"),
        _pair(lambda d: d["mom_hs"] - 0.5, lambda d: d["mom_iq"] - 100),
    ),
    "kidiq_with_mom_work-kidscore_interaction_z": (
        _column("kid_score"),
        _pair(lambda d: _z(d["mom_hs"], 2), lambda d: _z(d["mom_iq"], 2)),
    ),
    "kidiq_with_mom_work-kidscore_mom_work": (
        _column("kid_score"),
        (_is("mom_work", 2), _is("mom_work", 3), _is("mom_work", 4)),
    ),
    "mesquite-mesquite": (
        _column("weight"),
        (*map(_column, MEASURES), GROUP),
    ),
    "mesquite-logmesquite": (
        _log("weight"),
        (*map(_log, MEASURES), GROUP),
    ),
    "mesquite-logmesquite_logvolume": (_log("weight"), (_log_volume,)),
    "mesquite-logmesquite_logva": (_log("weight"), (_log_volume, _log_area, GROUP)),
    "mesquite-logmesquite_logvas": (
        _log("weight"),
        (_log_volume, _log_area, _log_shape, _log("total_height"), _log("density"), GROUP),
    ),
    "mesquite-logmesquite_logvash": (
        _log("weight"),
        (_log_volume, _log_area, _log_shape, _log("total_height"), GROUP),
    ),
    **{
        f"nes{year}-nes": (
            _column("partyid7"),
            (
                _column("real_ideo"),
                _column("race_adj"),
                *(_is("age_discrete", age) for age in (2, 3, 4)),
                *map(_column, ("educ1", "gender", "income")),
            ),
        )
        for year in range(1972, 2001, 4)
    },
}


def design(
    data: Data, response: Column, columns: tuple[Column, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns of a regression ``(n, k)``, intercept first, and the response ``(n,)``."""
    arrays = {k: np.asarray(v, float) for k, v in data.items() if isinstance(v, list)}
    y = response(arrays)
    return np.column_stack([np.ones(len(y)), *(column(arrays) for column in columns)]), y


def _regression(data: Data, response: Column, columns: tuple[Column, ...], *, kidiq: bool) -> Any:
    X, y = design(data, response, columns)
    with ed.Model() as model:
        beta = ed.Flat("beta", shape=X.shape[1])
        sigma = ed.HalfCauchy("sigma", 2.5) if kidiq else ed.HalfFlat("sigma")
        ed.Normal("y", X @ beta, sigma, observed=y)
    return model


def _blr(data: Data) -> Any:
    X, y = np.asarray(data["X"], float), np.asarray(data["y"], float)
    with ed.Model() as model:
        beta = ed.Normal("beta", 0, 10, shape=X.shape[1])
        sigma = ed.HalfNormal("sigma", 10)
        ed.Normal("y", X @ beta, sigma, observed=y)
    return model


def _kilpisjarvi(data: Data) -> Any:
    x, y = np.asarray(data["x"], float), np.asarray(data["y"], float)
    with ed.Model() as model:
        alpha = ed.Normal("alpha", data["pmualpha"], data["psalpha"])
        beta = ed.Normal("beta", data["pmubeta"], data["psbeta"])
        sigma = ed.HalfFlat("sigma")
        ed.Normal("y", alpha + beta * x, sigma, observed=y)
    return model


def _eight_schools(data: Data) -> Any:
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 5)
        tau = ed.HalfCauchy("tau", 5)
        theta_trans = ed.Normal("theta_trans", 0, 1, shape=8)
        theta = ed.Deterministic("theta", mu + tau * theta_trans)
        sigma = np.asarray(data["sigma"], float)
        ed.Normal("y", theta, sigma, observed=np.asarray(data["y"], float))
    return model


def _autoregression(data: Data) -> Any:
    y, order = np.asarray(data["y"], float), data["K"]
    before = np.column_stack([y[order - k : -k] for k in range(1, order + 1)])
    with ed.Model() as model:
        alpha = ed.Normal("alpha", 0, 10)
        beta = ed.Normal("beta", 0, 10, shape=order)
        sigma = ed.HalfCauchy("sigma", 2.5)
        ed.Normal("y", alpha + before @ beta, sigma, observed=y[order:])
    return model


def _gaussian_process(data: Data) -> Any:
    x, y = np.asarray(data["x"], float), np.asarray(data["y"], float)
    squared = np.subtract.outer(x, x) ** 2
    with ed.Model() as model:
        rho = ed.Gamma("rho", 25, 4)
        alpha = ed.HalfNormal("alpha", 2)
        sigma = ed.HalfNormal("sigma", 1)  # a variance, in the Stan program too
        signal = alpha**2 * ed.math.exp(-0.5 * squared / rho**2)
        ed.MvNormal("y", 0, cov=signal + sigma * np.eye(len(x)), observed=y)
    return model


def _two_normals(data: Data) -> Any:
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 2, shape=2, transform="ordered")
        sigma = ed.HalfNormal("sigma", 2, shape=2)
        theta = ed.Beta("theta", 5, 5)
        w = ed.math.stack([theta, 1 - theta])
        ed.NormalMixture("y", w, mu, sigma, observed=np.asarray(data["y"], float))
    return model


def _two_states(data: Data) -> Any:
    y = np.asarray(data["y"], float)
    with ed.Model() as model:
        theta1 = ed.Dirichlet("theta1", np.ones(2))
        theta2 = ed.Dirichlet("theta2", np.ones(2))
        mu = ed.Normal("mu", np.array([3.0, 10.0]), 1, transform="positive_ordered")
        log_move = ed.math.log(ed.math.stack([theta1, theta2]))
        emitted = -0.5 * ed.math.square(y[:, None] - mu)  # Normal(mu, 1) but for a constant

        def forward(log_alpha: Any, log_emitted: Any) -> tuple[Any, None]:
            moved = ed.math.logsumexp(ed.math.expand_dims(log_alpha, 1) + log_move, axis=0)
            return moved + log_emitted, None

        last, _ = ed.math.scan(forward, emitted[0], emitted[1:])
        ed.Potential("y", ed.math.logsumexp(last))
    return model


BUILDERS: dict[str, Callable[[Data], Any]] = {
    **{
        name: partial(_regression, response=_column("kid_score"), columns=columns, kidiq=True)
        for name, columns in KIDIQ.items()
    },
    **{
        name: partial(_regression, response=response, columns=columns, kidiq=False)
        for name, (response, columns) in FLAT_REGRESSIONS.items()
    },
    "sblrc-blr": _blr,
    "sblri-blr": _blr,
    "kilpisjarvi_mod-kilpisjarvi": _kilpisjarvi,
    "eight_schools-eight_schools_noncentered": _eight_schools,
    "arK-arK": _autoregression,
    "gp_pois_regr-gp_regr": _gaussian_process,
    "hmm_example-hmm_example": _two_states,
    "low_dim_gauss_mix-low_dim_gauss_mix": _two_normals,
}
