"""Models with many alike parts, and what is expected to become of them.

`ALIKE` has a row a model: how it is declared, and the names of the terms that become one.
"""

from collections.abc import Callable

import numpy as np

import exmc_dask as ed
from exmc_dask import math
from exmc_dask.transforms import interval

RNG = np.random.default_rng(8)
N = 9  # of everything, unless it is said otherwise

ALIKE: dict[str, tuple[Callable[[], None], tuple[str, ...]]] = {}


def _row(*groups: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    def add(declare: Callable[[], None]) -> Callable[[], None]:
        ALIKE[declare.__name__] = declare, groups
        return declare

    return add


def model_of(name: str) -> ed.Model:
    """Declare the model of a row."""
    with ed.Model() as model:
        ALIKE[name][0]()
    return model


def normals(*lengths: int) -> list[np.ndarray]:
    """Arrays of these lengths."""
    return [RNG.normal(size=n) for n in lengths]


@_row("x", "y")
def hierarchy() -> None:
    """Scalars of one prior, observed one to three times."""
    mu, tau = ed.Normal("mu", 0, 5), ed.HalfNormal("tau", 2)
    for i in range(N):
        x = ed.Normal(f"x{i}", mu, tau)
        ed.Normal(f"y{i}", x, 0.5, observed=RNG.normal(size=1 + i % 3))


@_row("group", "noise", "y")
def groups() -> None:
    """Two kinds of scalars by turns."""
    mu = ed.Normal("mu", 0, 10)
    for i in range(N):
        group = ed.Normal(f"group{i}", mu, 1.0)
        noise = ed.Exponential(f"noise{i}", 1.0)
        ed.Normal(f"y{i}", group, noise, observed=RNG.normal(size=4))


@_row("x", "y")
def numbers() -> None:
    """Constants that differ; observations that are numbers, not arrays."""
    for i in range(N):
        x = ed.Normal(f"x{i}", 0.1 * i, 1.0 + i)
        ed.Normal(f"y{i}", x * (i + 0.5), 0.5, observed=0.3 * i)


@_row("x", "y", "z")
def counts() -> None:
    """Whole numbers and truth values."""
    for i in range(N):
        x = ed.Normal(f"x{i}", 0, 1)
        ed.Poisson(f"y{i}", math.exp(x), observed=RNG.poisson(2.0, 2 + i % 2))
        ed.Bernoulli(f"z{i}", logit_p=x, observed=RNG.normal(size=1 + i % 4) > 0)


@_row("a", "b", "y")
def lines() -> None:
    """A line a group over one and the same covariate."""
    t, sigma = ed.Data("t", np.arange(5.0)), ed.HalfNormal("sigma", 1)
    for i in range(N):
        a, b = ed.Normal(f"a{i}", 0, 1), ed.Normal(f"b{i}", 0, 2)
        mu = a + b * t
        ed.Deterministic(f"mu{i}", mu)
        ed.Normal(f"y{i}", mu, sigma, observed=RNG.normal(size=5))


@_row("a", "y")
def covariates() -> None:
    """Covariates, errors, weights and masks that are as long as their observations."""
    b = ed.Normal("b", 0, 1)
    for i, n in enumerate(RNG.integers(2, 5, N)):
        x, se, y, w = normals(n, n, n, n)
        a = ed.Normal(f"a{i}", 0, 1)
        options = {"weight": np.abs(w), "mask": x > -0.5, "reduce": "mean"}
        ed.StudentT(f"y{i}", 4, a + b * x, 1 + se**2, observed=y, **options)


@_row("beta", "y", "z")
def designs() -> None:
    """Matrices times one vector, and times one vector each."""
    b = ed.Normal("b", 0, 1, shape=3)
    for i, n in enumerate(RNG.integers(2, 5, N)):
        X = RNG.normal(size=(n, 3))
        beta = ed.Normal(f"beta{i}", b, 1.0)
        ed.Normal(f"y{i}", X @ b, 1.0, observed=RNG.normal(size=n))
        ed.Normal(f"z{i}", X @ beta, 1.0, observed=RNG.normal(size=n))


@_row("region", "x", "y")
def levels() -> None:
    """Three levels, the middle one of fewer variables."""
    mu = ed.Normal("mu", 0, 1)
    regions = [ed.Normal(f"region{i}", mu, 0.5) for i in range(N)]
    scales = [ed.HalfNormal("scale0", 1), ed.HalfNormal("scale1", 2)]
    for i in range(3 * N):
        x = ed.Normal(f"x{i}", regions[i // 3], scales[i % 2])
        ed.Normal(f"y{i}", x, 1.0, observed=RNG.normal(size=1 + i % 2))


@_row("x", "y")
def steps() -> None:
    """A walk of scalars."""
    sigma, x = ed.HalfNormal("sigma", 1), ed.Normal("x0", 0, 1)
    for i in range(1, N):
        x = ed.Normal(f"x{i}", 0.9 * x, sigma)
        ed.Normal(f"y{i}", x, 1.0, observed=RNG.normal(size=2))


@_row("w", "x", "y")
def walks() -> None:
    """A walk whose drift is another walk; constants that differ from step to step."""
    phi, w, x = ed.Beta("phi", 2, 2), ed.Normal("w0", 0, 1), ed.Normal("x0", 0, 2)
    for i in range(1, N + 2):
        w = ed.Normal(f"w{i}", w, 0.1 * i)
        x = ed.Normal(f"x{i}", phi * x + math.tanh(w) * (0.5 * i), 1.0)
        ed.Normal(f"y{i}", x, 1.0, observed=RNG.normal(size=2))
    ed.Deterministic("end", x - w)


@_row("x")
def trees() -> None:
    """Each variable with two children, and one that is made of two before it."""
    x = [ed.Normal("x0", 0, 1)]
    for i in range(1, 2 * N):
        x.append(ed.Normal(f"x{i}", x[(i - 1) // 2], 1.0))
    last = x[0]
    for i in range(1, 2 * N):
        last = ed.Deterministic(f"sum{i}", last + x[i] * x[i - 1])
    ed.Normal("y", last, 1.0, observed=RNG.normal(size=3))


@_row("a", "b")
def coupled() -> None:
    """Two walks each of which reads the other: no scan of one of them."""
    a, b = ed.Normal("a0", 0, 1), ed.Normal("b0", 0, 1)
    for i in range(1, N + 1):
        a, b = ed.Normal(f"a{i}", a + b, 1.0), ed.Normal(f"b{i}", b - a, 2.0)
    ed.Normal("y", a + b, 1.0, observed=RNG.normal(size=3))


@_row("p", "y")
def simplexes() -> None:
    """Vectors under a transform, with one outcome each."""
    for i in range(N):
        p = ed.Dirichlet(f"p{i}", np.array([2.0, 3.0, 1.5]))
        ed.Categorical(f"y{i}", p, observed=RNG.integers(0, 3, 2 + i % 2))


@_row("low", "width", "pull")
def bounds() -> None:
    """Transforms whose bounds are other variables; potentials; deterministics."""
    for i in range(N):
        low = ed.Normal(f"low{i}", 0, 1)
        width = ed.Flat(f"width{i}", transform=interval(low, low + 2.0 + i))
        ed.Potential(f"pull{i}", -0.5 * (width - low) ** 2)
        ed.Deterministic(f"square{i}", width * width)


@_row("y")
def elements() -> None:
    """Elements of vectors and matrices, one by one."""
    theta = ed.Normal("theta", 0, 1, shape=N)
    table = ed.Normal("table", 0, 1, shape=(2, N))
    for i in range(N):
        mean = theta[i] + table[1, i] + table[0, -1]
        ed.Normal(f"y{i}", mean, 1.0, observed=RNG.normal(size=2))


@_row("x", "s")
def joined() -> None:
    """Scalars that are joined to vectors and selected from."""
    x = math.stack([ed.Normal(f"x{i}", 0, 1) for i in range(N)])
    s = math.stack([ed.HalfNormal(f"s{i}", 1) for i in range(N)])
    where = RNG.integers(0, N, 20)
    ed.Normal("y", x[where], s[where], observed=RNG.normal(size=20))


@_row("x", "y")
def tables() -> None:
    """Elements selected from a vector of each term's own, and from one for all."""
    shared = ed.Normal("shared", 0, 1, shape=4)
    for i in range(N):
        x = ed.Normal(f"x{i}", 0, 1, shape=3)
        n = 2 + i % 3
        mean = x[RNG.integers(0, 3, n)] + shared[RNG.integers(0, 4, n)]
        ed.Normal(f"y{i}", mean, 1.0, observed=RNG.normal(size=n))


@_row("x")
def others() -> None:
    """Terms that have to stay apart: a maximum of each ragged one, two of another family."""
    for i in range(N):
        x = ed.Normal(f"x{i}", 0, 1)
        law = ed.Laplace if i in (2, 5) else ed.Normal
        law(f"y{i}", x, 1.0, observed=RNG.normal(size=2 + i % 2), reduce="logsumexp")


@_row("x", "y")
def summaries() -> None:
    """Functions of data that cannot be calculated side by side, so each is calculated alone."""
    for i in range(N):
        t, X = RNG.normal(size=2 + i % 3), RNG.normal(size=(2, 2))
        x = ed.Normal(f"x{i}", 0, 1)
        mean = x * math.max(ed.Data(f"t{i}", t)) + math.sum(ed.Data(f"X{i}", X) @ X)
        ed.Normal(f"y{i}", mean, 1.0, observed=RNG.normal(size=2))


@_row("x", "y")
def mixed() -> None:
    """Terms of one form among others, whose parameters are the same ones."""
    mu = ed.Normal("mu", 0, 1)
    x = [ed.Normal(f"x{i}", mu, 1) for i in range(N)]
    for i in range(N):
        ed.Normal(f"y{i}", x[i] - x[i - 1], 1.0, observed=RNG.normal(size=2))
    ed.StudentT("other", 5, x[0] * x[3], 1.0, observed=RNG.normal(size=3))
    ed.Deterministic("last", x[-1] + mu)


@_row()
def few() -> None:
    """Fewer than are worth a loop."""
    for i in range(5):
        ed.Normal(f"y{i}", ed.Normal(f"x{i}", 0, 1), 1.0, observed=RNG.normal(size=2))
