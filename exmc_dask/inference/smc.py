"""Sequential Monte Carlo: a population of particles from the prior to the posterior."""

import numpy as np

from exmc_dask.errors import BadStart, SamplingError
from exmc_dask.inference.settings import MOVES, SmcSettings
from exmc_dask.inference.state import FitState
from exmc_dask.inference.steps import model_arguments, reported
from exmc_dask.kernels import build
from exmc_dask.kernels.runtime.chain import DRAWS, GO_ON, STOP
from exmc_dask.sampler.block import Bound, Kernel
from exmc_dask.sampler.state import Draws, Floats, Ints

COLUMNS = ("beta", "ess", "acceptance_rate", "sweeps", "step_size", "log_evidence")
"""What each stage reports."""


def start(
    kernel: Kernel,
    bound: Bound,
    settings: SmcSettings,
    unit: int,
    support_point: Floats,
    initial: Floats | None = None,
) -> FitState:
    """Return a population of draws from the prior, `initial` (draws, dim).

    The kernel is that of a tempered density, whose last coordinate is beta.

    Raises
    ------
    BadStart
        The data are impossible under every draw.
    """
    assert initial is not None
    q = np.zeros((settings.draws, kernel.dim))
    q[:, :-1] = initial
    grad, prior, lik = np.empty_like(q), *np.empty((2, settings.draws))
    model = model_arguments(kernel, bound)
    smc = build.runtime_module("smc")
    smc.weigh()(kernel.logp_grad, *model, q, grad, prior, lik)
    if not (lik > -np.inf).any():
        raise BadStart(
            f"the likelihood is 0 or not finite at all {settings.draws} draws from the prior; "
            "narrow the priors, or take more draws",
            q[0],
        )
    scalars = np.zeros(smc.N_SCALARS)
    scalars[smc.LOG_STEP] = np.log(
        1.0 if MOVES[0] == settings.moves else 2.38 / np.sqrt(kernel.dim - 1)
    )
    return FitState(unit, 0, {"q": q, "prior": prior, "lik": lik, "scalars": scalars})


def run(
    kernel: Kernel, bound: Bound, settings: SmcSettings, state: FitState, n: int, control: Ints
) -> tuple[FitState, Draws]:
    """Cool a population by some stages.

    Returns
    -------
    FitState
        ``q`` (draws, dim), whose last column is beta; ``prior`` and ``lik`` (draws,), the
        logarithms of both factors; ``scalars``: beta, the log-evidence so far, log step size.
    Draws
        A row of COLUMNS for each stage.

    Raises
    ------
    SamplingError
        The posterior was not reached in ``max_stages``.
    """
    smc = build.runtime_module("smc")
    stage = smc.stage()
    model = model_arguments(kernel, bound)
    options = (MOVES.index(settings.moves), settings.seed, state.unit)
    limits = (settings.threshold, settings.correlation, settings.max_sweeps)
    rows: list[Floats] = []
    for number in range(state.draw, state.draw + n):
        if control[STOP] != GO_ON:
            break
        arrays, row = state.copies(), np.empty(len(COLUMNS))
        population = (arrays["q"], np.empty_like(arrays["q"]), arrays["prior"], arrays["lik"])
        if not stage(
            *(kernel.logp_grad, *model, *population, arrays["scalars"]),
            *(*options, number, *limits, row, control),
        ):
            break
        rows.append(row)
        control[DRAWS] += 1
        if arrays["scalars"][0] >= 1.0:
            state = FitState(state.unit, settings.total, arrays)
            break
        if number + 1 == settings.max_stages:
            raise SamplingError(
                f"population {state.unit} came to a temperature of {1 / row[0]:.3g} and not to 1 "
                f"in max_stages={settings.max_stages} stages; allow more, or take more draws"
            )
        state = FitState(state.unit, number + 1, arrays)
    first = number + 1 - len(rows) if rows else state.draw
    return state, reported(first, np.array(rows).reshape(len(rows), len(COLUMNS)))


def halted(state: FitState, settings: SmcSettings) -> None:
    """Return None: particles that are still hot are no draws of the posterior."""


def prepare(settings: SmcSettings) -> None:
    """Compile what the first block would."""
    smc = build.runtime_module("smc")
    with build.compiling("smc"):
        smc.weigh()
        smc.stage()
