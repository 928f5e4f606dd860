"""NumPyro and BlackJAX on the device that JAX finds, all chains side by side.

Needs ``jax``, ``numpyro`` and, for BlackJAX, ``blackjax``, which are not dependencies of this
project. BlackJAX gets its densities from NumPyro, so both have the same models. Warmup is not
timed: chains go on from where it ended, as those of our own rows do.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # there are others on the card

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.infer import MCMC, NUTS
from numpyro.infer.util import initialize_model

from models.seven import (
    eight_schools_data,
    logistic_data,
    medium_data,
    simple_data,
    stress_data,
    sv_data,
)

jax.config.update("jax_enable_x64", True)
WARMUP = 100


@dataclass(frozen=True)
class Peer:
    """How fast a peer drew, all chains counted."""

    sampler: str
    model: str
    where: str
    chains: int
    draws: int
    compile_s: float  # and warmup
    seconds: float
    leapfrogs_per_s: float
    draws_per_s: float


def simple() -> None:
    mu = numpyro.sample("mu", dist.Normal(0.0, 10.0))
    sigma = numpyro.sample("sigma", dist.Exponential(1.0))
    numpyro.sample("y", dist.Normal(mu, sigma), obs=simple_data())


def medium() -> None:
    y_a, y_b = medium_data()
    mu = numpyro.sample("mu_global", dist.Normal(0.0, 10.0))
    sigma = numpyro.sample("sigma_global", dist.Exponential(1.0))
    alpha = numpyro.sample("alpha", dist.Normal(mu, sigma))
    beta = numpyro.sample("beta", dist.Normal(mu, sigma))
    noise = numpyro.sample("sigma_obs", dist.Exponential(2.0))
    numpyro.sample("y_a", dist.Normal(alpha, noise), obs=y_a)
    numpyro.sample("y_b", dist.Normal(beta, noise), obs=y_b)


def stress() -> None:
    mu = numpyro.sample("mu_pop", dist.Normal(0.0, 10.0))
    sigma = numpyro.sample("sigma_pop", dist.Exponential(0.5))
    for j, y in enumerate(stress_data(), start=1):
        group = numpyro.sample(f"group_{j}", dist.Normal(mu, sigma))
        noise = numpyro.sample(f"noise_{j}", dist.Exponential(1.0))
        numpyro.sample(f"y_{j}", dist.Normal(group, noise), obs=y)


def eight_schools() -> None:
    y, se = eight_schools_data()
    mu = numpyro.sample("mu", dist.Normal(0.0, 5.0))
    tau = numpyro.sample("tau", dist.HalfNormal(5.0))
    theta = numpyro.sample("theta", dist.Normal(mu, tau).expand([8]).to_event(1))
    numpyro.sample("y", dist.Normal(theta, se), obs=y)


def funnel() -> None:
    y = numpyro.sample("y", dist.Normal(0.0, 3.0))
    numpyro.sample("x", dist.Normal(0.0, jnp.exp(y / 2)).expand([9]).to_event(1))


def logistic() -> None:
    X, y = logistic_data()
    alpha = numpyro.sample("alpha", dist.Normal(0.0, 10.0))
    beta = numpyro.sample("beta", dist.Normal(0.0, 10.0).expand([20]).to_event(1))
    numpyro.sample("y", dist.Bernoulli(logits=alpha + X @ beta), obs=y)


def sv() -> None:
    r = sv_data()
    sigma = numpyro.sample("sigma", dist.Exponential(50.0))
    nu = numpyro.sample("nu", dist.Exponential(0.1))
    s = numpyro.sample("s", dist.GaussianRandomWalk(sigma, r.size))
    numpyro.sample("r", dist.StudentT(nu, 0.0, jnp.exp(s)), obs=r)


MODELS: dict[str, Callable[[], None]] = {
    f.__name__: f for f in (simple, medium, stress, eight_schools, funnel, logistic, sv)
}


def measure(sampler: str, model: str, chains: int, draws: int) -> Peer:
    """Warm chains up, compile, and time so many draws of each."""
    began = time.perf_counter()
    run = SAMPLERS[sampler](MODELS[model], chains, draws)
    run()
    compile_s = time.perf_counter() - began
    began = time.perf_counter()
    leapfrogs = run()
    seconds = time.perf_counter() - began
    device = jax.devices()[0]
    return Peer(
        sampler=sampler,
        model=model,
        where=f"{device.platform} {device.device_kind}",
        chains=chains,
        draws=draws,
        compile_s=compile_s,
        seconds=seconds,
        leapfrogs_per_s=leapfrogs / seconds,
        draws_per_s=chains * draws / seconds,
    )


def prepare_numpyro(model: Callable[[], None], chains: int, draws: int) -> Callable[[], int]:
    """Warm NumPyro's chains up; the result draws and returns the number of leapfrogs."""
    kernel = NUTS(model, target_accept_prob=0.8, max_tree_depth=10)
    mcmc = MCMC(
        kernel,
        num_warmup=WARMUP,
        num_samples=draws,
        num_chains=chains,
        chain_method="vectorized",
        progress_bar=False,
    )
    mcmc.warmup(jax.random.PRNGKey(1))
    warm = mcmc.last_state

    def turn(state: Any, _: Any) -> Any:  # as MCMC.run does, which compiles anew every time
        state = kernel.sample(state, (), {})
        return state, (state.z, state.num_steps)

    many = jax.jit(lambda state: jax.lax.scan(turn, state, None, length=draws)[1])

    def run() -> int:
        _, steps = jax.block_until_ready(many(warm))
        return int(steps.sum())

    return run


def prepare_blackjax(model: Callable[[], None], chains: int, draws: int) -> Callable[[], int]:
    """Warm BlackJAX's chains up; the result draws and returns the number of leapfrogs."""
    import blackjax

    keys = jax.random.split(jax.random.PRNGKey(1), chains)
    begun = initialize_model(keys, model)

    def logdensity(q: Any) -> Any:
        return -begun.potential_fn(q)

    warmup = blackjax.window_adaptation(blackjax.nuts, logdensity, target_acceptance_rate=0.8)
    states, found = jax.jit(jax.vmap(lambda key, q: warmup.run(key, q, num_steps=WARMUP)[0]))(
        keys, begun.param_info.z
    )

    def one(key: Any, state: Any, parameters: Any) -> Any:
        step = blackjax.nuts(logdensity, max_num_doublings=10, **parameters).step

        def turn(state: Any, key: Any) -> Any:
            state, info = step(key, state)
            return state, (state.position, info.num_integration_steps)

        return jax.lax.scan(turn, state, jax.random.split(key, draws))[1]

    many = jax.jit(jax.vmap(one))

    def run() -> int:
        _, steps = jax.block_until_ready(many(keys, states, found))
        return int(steps.sum())

    return run


SAMPLERS: dict[str, Callable[[Callable[[], None], int, int], Callable[[], int]]] = {
    "numpyro": prepare_numpyro,
    "blackjax": prepare_blackjax,
}
