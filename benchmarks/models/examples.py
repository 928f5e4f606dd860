"""All examples with data of known truth, by name."""

from .dynamics import LOTKA_VOLTERRA, PHARMACOKINETICS
from .example import Example
from .hidden_markov import HMM, HMM_COVARIATES
from .latent import MIXTURE, POISSON_GP
from .regression import IMPUTATION, VARYING_SLOPES, WIDE
from .timeseries import ARMA, GARCH, LOCAL_LEVEL

EXAMPLES: dict[str, Example] = {
    example.name: example
    for example in (
        *(WIDE, VARYING_SLOPES, IMPUTATION),
        *(POISSON_GP, MIXTURE),
        *(HMM, HMM_COVARIATES),
        *(ARMA, GARCH, LOCAL_LEVEL),
        *(LOTKA_VOLTERRA, PHARMACOKINETICS),
    )
}
