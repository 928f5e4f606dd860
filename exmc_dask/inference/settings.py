"""Settings of each method: the options that decide its result, checked when they are made."""

import math
from dataclasses import dataclass

from exmc_dask.sampler.checked import Checked

MAX_SEED = 2**63 - 1
MOVES = ("hmc", "mh", "imh")
MAX_CURVED = 5000  # dimensions of a matrix that is kept and factored


@dataclass(frozen=True)
class ModeSettings(Checked):
    """How a mode is looked for.

    Parameters
    ----------
    seed : int
        Key of the random numbers, 0 <= seed < 2**63.
    restarts : int
        Climbs, of which the highest counts. The first begins at the support point, the others at
        it plus U(-jitter, jitter), unconstrained.
    jitter : float
    max_iterations : int
        Steps of a climb.
    history : int
        Moves from which the curvature is estimated on the way.
    tolerance : float
        A climb has arrived when the log-density is thought to be less than half of it below its
        peak.
    curvature : bool
        Whether the second derivatives at the mode are wanted.

    Raises
    ------
    OptionError
        An option has a value that is not allowed.
    """

    seed: int
    restarts: int = 1
    jitter: float = 1.0
    max_iterations: int = 5000
    history: int = 10
    tolerance: float = 1e-12
    curvature: bool = False

    def __post_init__(self) -> None:
        self._need_int("seed", 0, MAX_SEED)
        self._need_int("restarts", 1, 100_000)
        self._need_float("jitter", "finite and >= 0", lambda x: 0 <= x < math.inf)
        self._need_int("max_iterations", 1, 2**31)
        self._need_int("history", 1, 100)
        self._need_float("tolerance", "above 0 and below 1", lambda x: 0 < x < 1)
        self._need("curvature", isinstance(self.curvature, bool), "True or False")

    @property
    def units(self) -> int:
        """Parts that can be worked on side by side."""
        return self.restarts

    @property
    def total(self) -> int:
        """Steps of a part, at most; one that ends before them counts as all of them."""
        return self.max_iterations


@dataclass(frozen=True)
class PathfinderSettings(Checked):
    """How Pathfinder looks.

    Parameters
    ----------
    seed : int
        Key of the random numbers, 0 <= seed < 2**63.
    paths : int
        Climbs side by side. Their draws are put together and weighed.
    pool : int
        Draws that each path contributes.
    jitter : float
        Paths begin at the support point plus U(-jitter, jitter), unconstrained.
    elbo_draws : int
        From which the ELBO is estimated at each place of a path.
    max_iterations : int
        Steps of a path.
    history : int, optional
        Moves from which the covariance is estimated; by default twice as many as there are
        parameters, but 6 to 30.
    tolerance : float
        A path ends when the log-density is thought to be less than half of it below its peak.

    Raises
    ------
    OptionError
        An option has a value that is not allowed.
    """

    seed: int
    paths: int = 4
    pool: int = 1000
    jitter: float = 2.0
    elbo_draws: int = 25
    max_iterations: int = 1000
    history: int | None = None
    tolerance: float = 1e-8

    def __post_init__(self) -> None:
        self._need_int("seed", 0, MAX_SEED)
        self._need_int("paths", 1, 100_000)
        self._need_int("pool", 10, 2**31)
        self._need_float("jitter", "finite and >= 0", lambda x: 0 <= x < math.inf)
        self._need_int("elbo_draws", 1, 100_000)
        self._need_int("max_iterations", 1, 2**31 // self.elbo_draws)
        if self.history is not None:
            self._need_int("history", 1, 100)
        self._need_float("tolerance", "above 0 and below 1", lambda x: 0 < x < 1)

    def moves(self, dim: int) -> int:
        """Return the history that is in force."""
        return min(max(2 * dim, 6), 30) if self.history is None else self.history

    @property
    def units(self) -> int:
        """Parts that can be worked on side by side."""
        return self.paths

    @property
    def total(self) -> int:
        """Steps of a part, at most; one that ends before them counts as all of them."""
        return self.max_iterations


@dataclass(frozen=True)
class SmcSettings(Checked):
    """How particles are led from the prior to the posterior.

    Parameters
    ----------
    seed : int
        Key of the random numbers, 0 <= seed < 2**63.
    draws : int
        Particles of a population, 4 or more: each half moves by the metric of the other.
    chains : int
        Populations, which know nothing of each other.
    moves : {"hmc", "mh", "imh"}
        Hamiltonian, random-walk or independent proposals.
    threshold : float
        Effective share of the particles that the weights of a stage leave, which decides how fast
        the temperature falls.
    correlation : float
        Sweeps of moves go on until particles correlate less than that with where they were.
    max_sweeps : int
        Sweeps of a stage at most.
    max_stages : int

    Raises
    ------
    OptionError
        An option has a value that is not allowed.
    """

    seed: int
    draws: int = 1000
    chains: int = 4
    moves: str = "hmc"
    threshold: float = 0.5
    correlation: float = 0.1
    max_sweeps: int = 50
    max_stages: int = 1000

    def __post_init__(self) -> None:
        self._need_int("seed", 0, MAX_SEED)
        self._need_int("chains", 1, 100_000)
        self._need_int("draws", 4, 2**32 // self.chains)
        self._need("moves", self.moves in MOVES, f"one of {', '.join(MOVES)}")
        self._need_float("threshold", "strictly between 0 and 1", lambda x: 0 < x < 1)
        self._need_float("correlation", "above 0, at most 1", lambda x: 0 < x <= 1)
        self._need_int("max_sweeps", 1, 10_000)
        self._need_int("max_stages", 1, 2**32 // self.max_sweeps)

    @property
    def units(self) -> int:
        """Parts that can be worked on side by side."""
        return self.chains

    @property
    def total(self) -> int:
        """Steps of a part, at most."""
        return self.max_stages


@dataclass(frozen=True)
class AdviSettings(Checked):
    """How a normal law is fitted by its ELBO.

    Parameters
    ----------
    seed : int
        Key of the random numbers, 0 <= seed < 2**63.
    full : bool
        Whether the law has all correlations; otherwise it has none.
    restarts : int
        Fits, of which that with the highest ELBO counts. The first begins at the support point,
        the others at it plus U(-jitter, jitter), unconstrained.
    jitter : float
    gradient_draws : int
        From which each gradient is estimated.
    max_iterations : int
        A fit ends by itself when the ELBO stands still at the smallest steps.

    Raises
    ------
    OptionError
        An option has a value that is not allowed.
    """

    seed: int
    full: bool = False
    restarts: int = 1
    jitter: float = 1.0
    gradient_draws: int = 16
    max_iterations: int = 20_000

    def __post_init__(self) -> None:
        self._need_int("seed", 0, MAX_SEED)
        self._need("full", isinstance(self.full, bool), "True or False")
        self._need_int("restarts", 1, 100_000)
        self._need_float("jitter", "finite and >= 0", lambda x: 0 <= x < math.inf)
        self._need_int("gradient_draws", 1, 100_000)
        self._need_int("max_iterations", 1, 2**32 // self.gradient_draws)

    @property
    def units(self) -> int:
        """Parts that can be worked on side by side."""
        return self.restarts

    @property
    def total(self) -> int:
        """Steps of a part, at most."""
        return self.path.total + self.max_iterations

    @property
    def path(self) -> PathfinderSettings:
        """Settings of the path on which the first law is looked for."""
        return PathfinderSettings(seed=self.seed, paths=self.restarts, pool=10)
