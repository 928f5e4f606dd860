"""Findings: the words for what may be wrong with a run, and from which number on it is.

The thresholds of R-hat and ESS are those of Vehtari et al. (2021),
https://doi.org/10.1214/20-BA1221, that of BFMI is Stan's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MAX_RHAT = 1.01
MIN_ESS_PER_CHAIN = 100
MIN_BFMI = 0.3
MAX_SATURATED = 0.01  # share of draws whose tree was cut at max_treedepth
N_NAMED = 3  # variables a finding names, the worst first
_N_CHAINS = 12  # that it names


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes
    ----------
    check : str
        ``length``, ``divergences``, ``rhat``, ``ess``, ``bfmi`` or ``treedepth``.
    what : str
        What was found and where, with numbers.
    advice : str
        What to do about it.
    """

    check: str
    what: str
    advice: str

    def __str__(self) -> str:
        return f"{self.what} {self.advice}"


def short(n: int, of: str, n_draws: int) -> Finding:
    """Say that there is too little to judge."""
    return Finding(
        "length",
        f"With {n} {of}(s) of {n_draws} draws convergence cannot be judged.",
        "Sample at least 4 chains of 100 draws.",
    )


def diverged(count: int, total: int) -> Finding | None:
    """Say how many draws ended in a divergence, if any did."""
    if not count:
        return None
    return Finding(
        "divergences",
        f"{count} of {total} draws ({count / total:.2%}) ended in a divergence: the sampler met "
        "curvature that its step size cannot follow, and the posterior there is not explored.",
        "Raise target_accept (0.9, then 0.95, 0.99); if that does not end it, non-centre "
        "hierarchical variables or give scales a prior that keeps them away from 0.",
    )


def apart(bad: Mapping[str, float], name: str, who: str) -> Finding | None:
    """Say which variables have too large an R-hat, if any have."""
    if not bad:
        return None
    worst = sorted(bad, key=lambda name: -bad[name])
    return Finding(
        "rhat",
        f"{name} is above {MAX_RHAT} for {some(worst, bad, '.3f')}: the {who} disagree.",
        "Draw and tune more; if it stays, look at the chains' traces for several modes, for "
        "variables that the data cannot tell apart, or for a chain that is stuck.",
    )


def few(bad: Mapping[str, float], kind: str, least: str) -> Finding | None:
    """Say which variables have too small an effective sample size, if any have."""
    if not bad:
        return None
    worst = sorted(bad, key=lambda name: bad[name])
    return Finding(
        "ess",
        f"The effective sample size {kind} is below {least}, for "
        f"{some(worst, bad, '.0f')}: means, intervals and R-hat are not to be relied on.",
        "Draw more; if the chains move slowly, reparametrise what is correlated.",
    )


def slow(bfmi: Mapping[int, float]) -> Finding | None:
    """Say which chains have too small a BFMI, if any have."""
    low = {chain: value for chain, value in bfmi.items() if value < MIN_BFMI}
    if not low:
        return None
    named = [f"{chain} ({value:.2f})" for chain, value in low.items()][:_N_CHAINS]
    rest = f" and {len(low) - len(named)} more" if len(low) > len(named) else ""
    return Finding(
        "bfmi",
        f"BFMI is below {MIN_BFMI} in chain {', '.join(named)}{rest}: momentum alone moves the "
        "energy too slowly to reach the tails.",
        "Tune longer; non-centre hierarchical variables, or give heavy-tailed ones lighter tails.",
    )


def deep(share: float, deepest: int) -> Finding | None:
    """Say what share of the trees was cut, if it is too large."""
    if share <= MAX_SATURATED:
        return None
    return Finding(
        "treedepth",
        f"{share:.1%} of the draws stopped at the largest tree depth, "
        f"{deepest}: they are valid but cost the most and move the least.",
        "Scale or reparametrise variables of very different size, tune longer, or raise "
        "max_treedepth.",
    )


def some(names: Sequence[str], values: Mapping[str, float], form: str) -> str:
    """Name the worst few with their values, and count the rest."""
    shown = ", ".join(f"{name} ({values[name]:{form}})" for name in names[:N_NAMED])
    rest = len(names) - N_NAMED
    return f"{shown} and {rest} more" if rest > 0 else shown
