"""All references, one row a case; the name of a row begins with that of its family."""

from tests.exmc_dask.references import (
    bounded,
    categories,
    correlation,
    counts,
    custom,
    cut,
    inflated,
    mixture,
    multinomial,
    multivariate,
    positive,
    real,
    simplex,
    timeseries,
    trials,
    zerosum,
)
from tests.exmc_dask.references.case import Case

CASES: dict[str, Case] = {
    **real.CASES,
    **positive.CASES,
    **bounded.CASES,
    **counts.CASES,
    **trials.CASES,
    **categories.CASES,
    **multivariate.CASES,
    **simplex.CASES,
    **multinomial.CASES,
    **correlation.CASES,
    **zerosum.CASES,
    **timeseries.CASES,
    **mixture.CASES,
    **cut.CASES,
    **inflated.CASES,
    **custom.CASES,
}
