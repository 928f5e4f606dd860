"""All references, one row a case; the name of a row begins with that of its family."""

from tests.exmc_dask.references import (
    bounded,
    categories,
    counts,
    multivariate,
    positive,
    real,
    timeseries,
    trials,
    wrappers,
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
    **timeseries.CASES,
    **wrappers.CASES,
}
