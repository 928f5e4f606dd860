"""Textbook NUTS in plain Python and NumPy: the slow twin that the compiled kernel is tested with.

Written from the papers, by recursion, one object per leaf, without regard to speed; nothing here
is shared with the kernel except the random numbers, which both take from the same counters.

Notation: position q, momentum p, inverse mass M^-1, velocity M^-1 p, energy H = p'M^-1 p/2 - logp.
``index`` is a leaf's place in time: 0 where the transition starts, negative to the left.

References
----------
.. [1] M. D. Hoffman, A. Gelman (2014). The No-U-Turn Sampler. JMLR 15.
.. [2] M. Betancourt (2017). A Conceptual Introduction to Hamiltonian Monte Carlo, arXiv:1701.02434,
   appendix A: multinomial trajectories, biased progressive sampling, the generalized U-turn
   criterion on sums of momenta.
.. [3] Stan Reference Manual, "MCMC sampling": the two cross checks between neighbouring subtrees.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from exmc_dask.kernels.runtime.chain import INTS
from exmc_dask.sampler import reference_low_rank as low_rank
from exmc_dask.sampler import reference_warmup as warmup
from exmc_dask.sampler.reference_random import Random
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.state import ChainState

F8 = npt.NDArray[np.float64]
LogpGrad = Callable[[F8], tuple[float, F8]]

#: A leaf whose energy exceeds the initial one by more than this has diverged [1]_.
MAX_ENERGY_ERROR = 1000.0


def transition(
    state: ChainState, settings: Settings, logp_grad: LogpGrad
) -> tuple["Transition", ChainState]:
    """Make the transition that the kernel makes from `state`, and what belongs to its start.

    Parameters
    ----------
    state : ChainState
        Between two draws.
    settings : Settings
        Of the run.
    logp_grad : callable
        q -> (logp, grad).

    Returns
    -------
    Transition
        What happened.
    ChainState
        The chain after it.
    """
    chain = {name: state[name] for name in (*INTS, *state.shapes())}
    random = Random(settings.seed, state.chain, state.draw)
    here = chain["q"], chain["grad"], float(chain["logp"])
    with np.errstate(all="ignore"):  # a trajectory may run to infinity and is then cut off
        warmup.change_metric(chain, settings)
        factor = chain["factor"]
        if settings.metric == "low_rank":
            factor = low_rank.root(factor, chain["stretch"], chain["directions"])
        inv_mass = factor @ factor.T if factor.ndim == 2 else factor**2
        if chain["search"]:
            trial = launch(random.normals("search", state.dim), factor, *here)

            def accept(step: float) -> float:
                gain = trial.energy - leapfrog(logp_grad, inv_mass, step, trial).energy
                return math.exp(min(gain, 0.0)) if gain > -math.inf else 0.0

            warmup.restart(chain, warmup.search(accept, settings.target_accept))
        adapting = state.draw < settings.tune - 1
        step_size = math.exp(chain["log_step" if adapting else "log_step_bar"])
        step_size *= 1.0 + settings.jitter * (2.0 * random.uniform("jitter", 0) - 1.0)
        start = launch(random.normals("momentum", state.dim), factor, *here)
        guessed = state.draw < settings.tune and chain["updates"] == 0
        max_depth = min(settings.max_treedepth, 8) if guessed else settings.max_treedepth
        found = Trajectory(logp_grad, inv_mass, step_size, start, random.log_u).grow(max_depth)
        end = found.chosen
        chain.update(q=end.q, grad=end.grad, logp=end.logp)
        if state.draw < settings.tune:
            warmup.learn(chain, settings, found.energy_errors, found.diverging, end.index)
    chain["draw"] += 1
    return found, state.replace(**chain)


@dataclass(frozen=True)
class Leaf:
    """One point of a trajectory.

    Attributes
    ----------
    q, p, velocity, grad : (dim,) f8
        Position, momentum, M^-1 p and the gradient of logp at q.
    logp, energy : float
        Log-density at q and H(q, p).
    index : int
        Place in time.
    """

    q: F8
    p: F8
    velocity: F8
    grad: F8
    logp: float
    energy: float
    index: int


@dataclass(frozen=True)
class Tree:
    """A stretch of a trajectory: its two ends, in the order of time, and its sum of momenta."""

    left: Leaf
    right: Leaf
    rho: F8


@dataclass(frozen=True)
class Transition:
    """What one transition did.

    Attributes
    ----------
    start, chosen : Leaf
        The last and the next state of the chain.
    step_size : float
        Of this transition, jitter included.
    depth : int
        Number of doublings whose subtree was valid.
    directions : tuple of int
        +1 or -1 for every doubling, the last invalid one included.
    energy_errors : tuple of float
        H - H0 of every leaf visited, those of discarded subtrees included.
    diverging, capped : bool
        Whether a leaf diverged; whether the greatest depth ended the trajectory.
    margin : float
        Smallest relative distance of a decision from its threshold. Below 1e-9 another order of
        summation may decide otherwise.
    """

    start: Leaf
    chosen: Leaf
    step_size: float
    depth: int
    directions: tuple[int, ...]
    energy_errors: tuple[float, ...]
    diverging: bool
    capped: bool
    margin: float

    @property
    def n_steps(self) -> int:
        """Return the number of leapfrog steps."""
        return len(self.energy_errors)

    @property
    def acceptance_rate(self) -> float:
        """Return the mean of min(1, exp(H0 - H)) over all leaves, 0 for a divergent one."""
        return warmup.acceptance(self.energy_errors, self.diverging)

    @property
    def max_energy_error(self) -> float:
        """Return the largest energy error in size."""
        return max((e for e in self.energy_errors if not math.isnan(e)), key=abs, default=0.0)


class Trajectory:
    """A trajectory that grows by doublings from `start`.

    Parameters
    ----------
    logp_grad : callable
        q -> (logp, grad); not finite where the density is not defined.
    inv_mass : (dim,) or (dim, dim) f8
        M^-1, diagonal or dense.
    step_size : float
        Leapfrog step.
    start : Leaf
        Where the transition starts, momentum included.
    log_u : callable
        (purpose, index) -> log of a uniform random number.
    """

    def __init__(
        self,
        logp_grad: LogpGrad,
        inv_mass: F8,
        step_size: float,
        start: Leaf,
        log_u: Callable[[str, int], float],
    ) -> None:
        self.logp_grad = logp_grad
        self.inv_mass = inv_mass
        self.step_size = step_size
        self.start = start
        self.log_u = log_u
        self.errors: list[float] = []
        self.margin = math.inf
        self.diverging = False
        self.log_weight = -math.inf  # of the subtree that is being built
        self.proposal = start  # of that subtree

    def grow(self, max_depth: int) -> Transition:
        """Double until a U-turn, a divergence or `max_depth` ([2]_)."""
        tree, chosen, log_weight = Tree(self.start, self.start, self.start.p), self.start, 0.0
        directions: list[int] = []
        depth, turning = 0, False
        while depth < max_depth and not turning:
            direction = 1 if self.log_u("direction", depth) < math.log(0.5) else -1
            directions.append(direction)
            self.log_weight = -math.inf
            subtree = self.build(depth, self.end(tree, direction), direction)
            if subtree is None:  # discarded whole: its leaves are no states of this trajectory
                break
            if self.below(self.log_u("merge", depth), self.log_weight - log_weight):
                chosen = self.proposal  # biased progressive: min(1, w_new / w_old)
            log_weight = float(np.logaddexp(log_weight, self.log_weight))
            tree, turning = self.join(tree, subtree, direction)
            depth += 1
        return Transition(
            start=self.start,
            chosen=chosen,
            step_size=self.step_size,
            depth=depth,
            directions=tuple(directions),
            energy_errors=tuple(self.errors),
            diverging=self.diverging,
            capped=depth == max_depth and not turning,
            margin=self.margin,
        )

    def build(self, depth: int, start: Leaf, direction: int) -> Tree | None:
        """Return the 2^depth leaves beyond `start`, or None as soon as they are invalid ([1]_)."""
        if depth == 0:
            return self.leaf(start, direction)
        near = self.build(depth - 1, start, direction)
        if near is None:
            return None
        far = self.build(depth - 1, self.end(near, direction), direction)
        if far is None:
            return None
        tree, turning = self.join(near, far, direction)
        return None if turning else tree

    def leaf(self, start: Leaf, direction: int) -> Tree | None:
        """Step once, weigh the new leaf by exp(H0 - H) and perhaps make it the proposal.

        The weighted reservoir over leaves has the law of the multinomial draw of [2]_.
        """
        leaf = leapfrog(self.logp_grad, self.inv_mass, direction * self.step_size, start)
        error = leaf.energy - self.start.energy
        number = len(self.errors)
        self.errors.append(error)
        if math.isfinite(error):
            self.near(error / MAX_ENERGY_ERROR - 1.0)
        if not -math.inf < error <= MAX_ENERGY_ERROR:  # NaN too, but not a start far in the tail
            self.diverging = True
            return None
        self.log_weight = float(np.logaddexp(self.log_weight, -error))
        if self.below(self.log_u("leaf", number), -error - self.log_weight):
            self.proposal = leaf
        return Tree(leaf, leaf, leaf.p)

    def join(self, first: Tree, second: Tree, direction: int) -> tuple[Tree, bool]:
        """Return the union of neighbours, `second` built in `direction`, and whether it turns."""
        a, b = (first, second) if direction > 0 else (second, first)
        whole = Tree(a.left, b.right, a.rho + b.rho)
        spans = (
            whole,
            Tree(a.left, b.left, a.rho + b.left.p),  # the cross checks of [3]_
            Tree(a.right, b.right, a.right.p + b.rho),
        )
        return whole, any([self.turns(span) for span in spans])

    def turns(self, span: Tree) -> bool:
        """Return whether an end of the span no longer moves away from the other ([2]_).

        With whole ends in the sum of momenta it would reach half a step beyond either.
        """
        going = True
        for end in (span.left, span.right):
            terms = end.velocity * (span.rho - 0.5 * (span.left.p + span.right.p))
            self.near(float(terms.sum() / np.abs(terms).sum()))
            going = going and bool(terms.sum() > 0.0)
        return not going

    @staticmethod
    def end(tree: Tree, direction: int) -> Leaf:
        """Return the end from which the trajectory grows in `direction`."""
        return tree.right if direction > 0 else tree.left

    def below(self, log_u: float, log_probability: float) -> bool:
        """Return whether an event of this probability happens."""
        self.near(log_u - log_probability)
        return log_u < log_probability

    def near(self, distance: float) -> None:
        """Remember how close a decision was."""
        self.margin = min(self.margin, abs(distance))


def launch(z: F8, factor: F8, q: F8, grad: F8, logp: float) -> Leaf:
    """Return the leaf at q with momentum p ~ N(0, M), from z ~ N(0, 1) and M^-1 = F F'."""
    if factor.ndim == 1:
        p, v = z / factor, factor * z
    else:
        p, v = np.linalg.solve(factor.T, z), factor @ z
    return Leaf(q, p, v, grad, logp, 0.5 * float(p @ v) - logp, 0)


def velocity(inv_mass: F8, p: F8) -> F8:
    """Return M^-1 p."""
    return inv_mass * p if inv_mass.ndim == 1 else inv_mass @ p


def leapfrog(logp_grad: LogpGrad, inv_mass: F8, step: float, start: Leaf) -> Leaf:
    """Return the leaf one step of signed size `step` away ([1]_, algorithm 1)."""
    half = start.p + 0.5 * step * start.grad
    q = start.q + step * velocity(inv_mass, half)
    logp, grad = logp_grad(q)
    p = half + 0.5 * step * grad
    v = velocity(inv_mass, p)
    index = start.index + (1 if step > 0.0 else -1)
    return Leaf(q, p, v, grad, logp, 0.5 * float(p @ v) - logp, index)
