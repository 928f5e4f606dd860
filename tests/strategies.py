"""Random graphs and random models for property tests."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

import exmc_dask as ed
from exmc_dask import math
from exmc_dask.expressions.axes import extents
from exmc_dask.expressions.ir import Node, as_float, elementwise, make, param, reduce
from exmc_dask.expressions.ops import FLOAT, INT, Op

ROWS = 4  # length of the data axes, and of parameters that meet them

LEAVES: dict[Node, np.ndarray] = {
    param("s", ()): np.array(0.7),
    param("v", (ROWS,)): np.array([0.3, -1.1, 0.8, 1.9]),
    param("m", (ROWS, 3)): np.linspace(-1.0, 1.5, 3 * ROWS).reshape(ROWS, 3),
    make(Op.DATA, (), "x", ("x.0",), FLOAT): np.array([1.5, -0.5, 0.25, 2.0]),
    make(Op.DATA, (), "X", ("X.0", 3), FLOAT): np.cos(np.arange(3.0 * ROWS)).reshape(ROWS, 3),
    make(Op.DATA, (), "g", ("g.0",), INT): np.array([2, 0, 2, 3]),
}
"""Leaves of random graphs and values for them; the data axes all have length ROWS."""

INDEX = next(leaf for leaf in LEAVES if leaf.dtype == INT)
SMOOTH = [Op.NEG, Op.SIN, Op.TANH, Op.SIGMOID, Op.SOFTPLUS, Op.ERF]
PAIRS = [Op.ADD, Op.SUB, Op.MUL, Op.MAXIMUM]


def lengths(node: Node) -> tuple[int, ...]:
    """Shape of an expression of `LEAVES` in numbers."""
    return extents(node.shape, {"x.0": ROWS, "X.0": ROWS, "g.0": ROWS})


@st.composite
def expressions(draw: DrawFn, steps: int = 12) -> Node:
    """Scalar expression of `LEAVES` whose values and derivatives are of ordinary size."""
    pool = [as_float(leaf) for leaf in LEAVES]
    for _ in range(draw(st.integers(1, steps))):
        x, y = draw(st.sampled_from(pool)), draw(st.sampled_from(pool))
        match draw(st.integers(0, 9)):
            case 0 | 1:
                made = elementwise(draw(st.sampled_from(SMOOTH)), x)
            case 2 | 3 if not x.ndim or not y.ndim or lengths(x) == lengths(y):
                made = elementwise(draw(st.sampled_from(PAIRS)), x, y)
            case 4:
                made = x * draw(st.sampled_from([-1.0, 0.5, 1.0, 2.0]))
            case 5 if lengths(x) == lengths(y):
                made = math.where(x < y, math.tanh(x), y / (1.0 + x * x))
            case 6 if x.ndim:
                axis = draw(st.sampled_from([None, 0, -1]))
                op = draw(st.sampled_from([Op.SUM, Op.LOGSUMEXP]))
                made = reduce(op, math.tanh(x), axis)
            case 7 if lengths(x)[:1] == (ROWS,):
                made = x[INDEX]
            case 8 if y.ndim == 2 and lengths(x) == (ROWS,):
                made = math.tanh(x) @ math.tanh(y)
            case _:
                made = math.exp(math.tanh(x)) ** draw(st.sampled_from([-1, 2, 0.5]))
        pool.append(made)
    return sum((math.tanh(node).sum() for node in pool[-3:]), start=as_float(0.0))


@st.composite
def models(draw: DrawFn) -> ed.Model:
    """Hierarchical model: locations, scales, and observations of some of them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    with ed.Model() as model:
        scales: list[Node | float] = [1.0, 2.5]
        locations: list[Node | float] = [0.0, -0.5]
        for i in range(draw(st.integers(1, 2))):
            family = draw(st.sampled_from([ed.HalfNormal, ed.Exponential, ed.HalfCauchy]))
            scales.append(family(f"scale{i}", draw(st.sampled_from([0.5, 2.0]))))
        for i in range(draw(st.integers(1, 4))):
            loc, spread = draw(st.sampled_from(locations)), draw(st.sampled_from(scales))
            options = {"shape": draw(st.sampled_from([None, 3]))} if i else {}
            if any(isinstance(part, Node) and part.ndim for part in (loc, spread)):
                options = {}
            name = f"x{i}"
            match draw(st.sampled_from(["Normal", "StudentT", "Laplace"])):
                case "StudentT":
                    x = ed.StudentT(name, 5, loc, spread, **options)
                case "Laplace":
                    x = ed.Laplace(name, loc, spread, **options)
                case _:
                    x = ed.Normal(name, loc, spread, **options)
            locations.append(x)
        for i, x in enumerate(part for part in locations if isinstance(part, Node)):
            match draw(st.integers(0, 3)):
                case 0:
                    n = 3 if x.ndim else draw(st.integers(1, 4))
                    ed.Normal(
                        f"y{i}", x, draw(st.sampled_from(scales)), observed=rng.normal(size=n)
                    )
                case 1 if x.ndim:
                    where = rng.integers(0, 3, 7)
                    ed.Bernoulli(f"y{i}", logit_p=x[where], observed=rng.integers(0, 2, 7))
                case 2:
                    ed.Potential(f"pull{i}", -0.1 * (x * x) ** 2)
                case _:
                    ed.Deterministic(f"curve{i}", math.exp(0.1 * x) + 1.0)
    return model
