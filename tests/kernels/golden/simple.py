"""Log density, gradient and outputs of a model; written by exmc_dask."""

from numba import njit

from .loops import Distinct, view
from .vecmath import accumulate, exp


@njit(
    "f8(f8[::1], f8[::1], f8[::1], f4[::1], i8[::1], f8[::1])",
    cache=True, error_model="numpy", fastmath={"contract"}, nogil=True,
    pipeline_class=Distinct,
)
def logp_grad(q, grad, data, data32, index, work):
    """Return the log density at `q`; write its gradient."""
    n_y_observed = index[0]
    at_y_observed = index[1]
    y_observed = view(data, at_y_observed)
    sum_d = 0.0
    sum_p = 0.0
    mu = q[0]
    # sum_d, sum_p
    for i in range(n_y_observed):
        d = y_observed[i] - mu
        sum_d = accumulate(sum_d, d)
        sum_p = accumulate(sum_p, d * d)
    q_sigma = q[1]
    sigma = exp(q_sigma)
    r = 1.0 / sigma
    grad[0] = sum_d * (r * r * -0.5) * -2.0 + mu * -0.010000000000000002  # mu
    fold_1 = data[1]
    p = sum_p * -0.5
    p2 = p * r
    grad[1] = fold_1 + (-1.0 - (p2 + r * p) * r * r) * sigma  # sigma
    p3 = mu * 0.1
    fold_0 = data[0]
    t = -0.5 * (p3 * p3) - 3.2215236261987186 + (q_sigma - sigma)
    return t + (p2 * r - (q_sigma + 0.9189385332046727) * fold_0)


@njit(
    "void(f8[::1], f8[::1], f8[::1], f4[::1], i8[::1], f8[::1])",
    cache=True, error_model="numpy", fastmath={"contract"}, nogil=True,
    pipeline_class=Distinct,
)
def expand(q, out, data, data32, index, work):
    """Write what is kept of the draw at `q`."""
    out[0] = q[0]  # mu
    sigma = exp(q[1])
    out[1] = sigma  # sigma
