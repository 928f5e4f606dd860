"""Names that PyMC, NumPy and SciPy have and this package has not, and what to write instead."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

ARVIZ = "results are DataTrees: use ArviZ on them, such as az.{}(trace)"
STEP = "continuous variables are sampled with NUTS by ed.sample; sum discrete ones out"
COMPARE = "compare with {}"

# Module -> name -> what to write instead.
INSTEAD: Mapping[str, Mapping[str, str]] = {
    "exmc_dask": {
        "ADVI": "use ed.fit(model, method='advi')",
        "BinaryMetropolis": STEP,
        "Bound": "use ed.Truncated, or transform= with ed.transforms.interval",
        "ConstantData": "use ed.Data",
        "CustomDist": "use ed.Custom, which takes the same logp=",
        "DensityDist": "use ed.Custom, which takes the same logp=",
        "FullRankADVI": "use ed.fit(model, method='fullrank')",
        "HSGP": "use ed.gp.HSGP",
        "HamiltonianMC": STEP,
        "KroneckerNormal": "use ed.MvNormal with chol=",
        "Lognormal": "use ed.LogNormal",
        "MatrixNormal": "use ed.MvNormal, with a Cholesky factor of the rows' covariance beside it",
        "Metropolis": STEP,
        "Minibatch": "all data are used; ed.sample spreads chains over a cluster",
        "MutableData": "use ed.Data",
        "NUTS": "options of NUTS are those of ed.sample, such as target_accept=",
        "OrderedMultinomial": "use ed.Multinomial with differences of ed.math.invlogit(cutpoints)",
        "SkewStudentT": "write its density with ed.Custom",
        "Slice": STEP,
        "Wishart": "give covariances an ed.LKJCholeskyCov",
        "WishartBartlett": "give covariances an ed.LKJCholeskyCov",
        "distributions": "distributions are ed.Normal and so on, transforms stand in ed.transforms",
        "do": "declare the model again with the value in the variable's place",
        "draw": "use ed.sample_prior_predictive(model, draws=...)",
        "ess": ARVIZ.format("ess"),
        "hdi": ARVIZ.format("hdi"),
        "invlogit": "use ed.math.invlogit",
        "logit": "use ed.math.logit",
        "loo": ARVIZ.format("loo"),
        "modelcontext": "functions take the model as model=, or that of the open `with` block",
        "observe": "declare the variable with observed=",
        "plot_forest": ARVIZ.format("plot_forest"),
        "plot_posterior": ARVIZ.format("plot_dist"),
        "plot_ppc": ARVIZ.format("plot_ppc_dist"),
        "plot_trace": ARVIZ.format("plot_trace"),
        "rhat": ARVIZ.format("rhat"),
        "traceplot": ARVIZ.format("plot_trace"),
        "to_inference_data": "ed.sample returns an xarray DataTree already",
    },
    "exmc_dask.math": {
        "and_": "write a & b",
        "batched_dot": "write a @ b, which multiplies stacks of matrices too",
        "ceil": "write -ed.math.floor(-x)",
        "constant": "write the number or array itself",
        "det": "use ed.math.logdet",
        "einsum": "write it with a @ b, products and ed.math.sum",
        "eq": COMPARE.format("a.eq(b)"),
        "expit": "use ed.math.invlogit",
        "extract_diag": "use ed.math.diagonal",
        "eye": "use np.eye",
        "ge": COMPARE.format("a >= b"),
        "gt": COMPARE.format("a > b"),
        "ifelse": "use ed.math.where(condition, a, b)",
        "inv": "use ed.math.solve_triangular with ed.math.cholesky",
        "le": COMPARE.format("a <= b"),
        "lgamma": "use ed.math.gammaln",
        "loggamma": "use ed.math.gammaln",
        "lt": COMPARE.format("a < b"),
        "matrix_inverse": "use ed.math.solve_triangular with ed.math.cholesky",
        "neq": COMPARE.format("~a.eq(b)"),
        "ones": "use np.ones",
        "ones_like": "write 0 * x + 1",
        "or_": "write a | b",
        "power": "write a ** b",
        "psi": "use ed.math.digamma",
        "round": "write ed.math.floor(x + 0.5)",
        "sgn": "use ed.math.sign",
        "set_subtensor": "expressions do not change: use ed.math.where or ed.math.concatenate",
        "slogdet": "use ed.math.logdet",
        "sqr": "use ed.math.square, or x**2",
        "std": "write ed.math.sqrt(ed.math.var(x))",
        "switch": "use ed.math.where(condition, a, b)",
        "tensordot": "write a @ b",
        "true_divide": "write a / b",
        "zeros": "use np.zeros",
        "zeros_like": "write 0 * x",
    },
    "exmc_dask.gp": {
        "HSGPPeriodic": "use ed.gp.Marginal or ed.gp.Latent with ed.gp.cov.Periodic",
        "MarginalApprox": "use ed.gp.HSGP",
        "MarginalSparse": "use ed.gp.HSGP",
        "TP": "use ed.gp.Latent, whose values a model can divide by a variable scale",
        "util": "plots are ArviZ's, such as az.plot_lm(trace)",
    },
    "exmc_dask.gp.cov": {
        "RBF": "use ed.gp.cov.ExpQuad",
        "SquaredExponential": "use ed.gp.cov.ExpQuad",
        "White": "use ed.gp.cov.WhiteNoise",
    },
    "Model": {
        "add_coord": "use add_coords({name: labels})",
        "compile_logp": "use logp(values)",
        "debug": "`exmc-dask check FILE.py:model` looks for what keeps a model from being sampled",
        "deterministics": "use spec.deterministics",
        "free_RVs": "use spec.free",
        "initial_point": "starting values are the initvals= of ed.sample",
        "named_vars": "use spec.variables",
        "observed_RVs": "use spec.observed",
        "point_logps": "use ed.compute_log_prior and ed.compute_log_likelihood",
        "register_rv": "use rv(name, dist)",
        "str_repr": "use str(model), or model.explain() for how it is sampled",
        "unobserved_RVs": "use spec.free",
    },
    "variable": {
        "astype": "whole numbers and bools become float64 where they are calculated with",
        "eval": "a variable has no value before it is sampled: use ed.sample_prior_predictive",
        "flatten": "write x.reshape(n)",
        "logp": "use ed.logp(ed.Normal.dist(...), value), or model.logp(values)",
        "ravel": "write x.reshape(n)",
        "round": "write ed.math.floor(x + 0.5)",
        "set": "expressions do not change: use ed.math.where or ed.math.concatenate",
        "squeeze": "write x[0]",
        "std": "write ed.math.sqrt(ed.math.var(x))",
    },
}


# Options of PyMC's variables, and of its distributions without one -> what to do instead.
OF_VARIABLE: Mapping[str, str] = {
    "compute_p": "name what you want to keep with ed.Deterministic",
    "default_transform": "it is called transform",
    "dtype": "variables are of float64",
    "initval": "starting values are the initvals= of ed.sample",
    "rng": "give random_seed= to ed.sample",
    "sd": "it is called sigma",
    "size": "it is called shape",
    "steps": "give the length as shape= or dims=",
    "testval": "starting values are the initvals= of ed.sample",
    "total_size": "all data are used; weight= multiplies each log-density",
}
WITHOUT = "leave it out: what takes the distribution says how many it needs"
OF_DIST = {**OF_VARIABLE, **dict.fromkeys(("dims", "shape", "size", "steps"), WITHOUT)}


def instead(module: str, name: str, known: Iterable[str] = ()) -> str:
    """Say what to write instead of a name that does not exist.

    Parameters
    ----------
    module : str
        Row of ``INSTEAD``.
    name : str
    known : iterable of str
        Names that do exist, of which one may be meant.

    Returns
    -------
    str
        Begins with a blank and a separator; empty where nothing is known.
    """
    if said := INSTEAD.get(module, {}).get(name):
        return f"; {said}"
    names = {known_name.lower(): known_name for known_name in known}
    close = get_close_matches(name.lower(), names, 1, 0.8)
    return f"; did you mean {names[close[0]]!r}?" if close else ""


def missing(module: str, name: str, known: Iterable[str] = ()) -> AttributeError:
    """Return the error for an attribute that a module does not have; see `instead`."""
    return AttributeError(
        f"module {module!r} has no attribute {name!r}{instead(module, name, known)}"
    )


class Hints:
    """A class whose errors for attributes that it has not say what to write instead."""

    if not TYPE_CHECKING:  # a checker is to find what does not exist

        def __getattr__(self, name: str) -> Any:
            own = type(self).__name__
            hint = "" if name.startswith("_") else instead(own, name, dir(type(self)))
            raise AttributeError(f"{own!r} object has no attribute {name!r}{hint}", name=name)
