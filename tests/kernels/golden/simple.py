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
    fold_0 = view(data, 0)
    concat = view(work, 4)
    sum_p = view(work, 2)
    p = view(work, 0)
    concat[0] = 1.0
    mu = q[0]
    concat[1] = -mu
    sum_p2 = 0.0
    # sum_p, sum_p2
    for i in range(2):
        sum_p3 = 0.0
        fold_0_row = view(fold_0, i)
        # sum_p3
        for j in range(2):
            fold_0_i_j = fold_0_row[2 * j]
            sum_p3 = accumulate(sum_p3, fold_0_i_j * concat[j])
        sum_p[i] = sum_p3
        sum_p2 = accumulate(sum_p2, sum_p3 * sum_p3)
    fold_2 = data[5]
    p2 = sum_p2 * -0.5
    q_sigma = q[1]
    sigma = exp(q_sigma)
    r = 1.0 / sigma
    p3 = p2 * r
    grad[1] = fold_2 + (-1.0 - (p3 + r * p2) * r * r) * sigma  # sigma
    p4 = r * r
    m2 = -p4
    # p
    for i in range(2):
        sum_p4 = 0.0
        fold_0_row2 = view(fold_0, 2 * i)
        # sum_p4
        for j in range(2):
            fold_0_i_j2 = fold_0_row2[j]
            sum_p5 = sum_p[j]
            sum_p4 = accumulate(sum_p4, fold_0_i_j2 * sum_p5)
        p_here = sum_p4 * m2
        p[i] = p_here
    grad[0] = -p[1] + mu * -0.010000000000000002  # mu
    p5 = mu * 0.1
    fold_1 = data[4]
    t = -0.5 * (p5 * p5) - 3.2215236261987186 + (q_sigma - sigma)
    return t + (p3 * r - (q_sigma + 0.9189385332046727) * fold_1)


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
