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
    theta = view(q, 2)
    grad_theta = view(grad, 2)
    y_observed = view(data, 9)
    fold_0 = view(data, 0)
    sum_d = 0.0
    sum_p = 0.0
    sum_p2 = 0.0
    mu = q[0]
    q_tau = q[1]
    tau = exp(q_tau)
    r = 1.0 / tau
    p = r * r
    m2 = -p
    # sum_d, sum_p, grad_theta, sum_p2
    for i in range(8):
        theta_i = theta[i]
        d = theta_i - mu
        sum_d = accumulate(sum_d, d)
        sum_p = accumulate(sum_p, d * d)
        fold_0_i = fold_0[i]
        p2 = (y_observed[i] - theta_i) * fold_0_i
        grad_theta[i] = d * m2 + p2 * fold_0_i
        sum_p2 = accumulate(sum_p2, p2 * p2)
    grad[0] = sum_d * (p * -0.5) * -2.0 + mu * -0.04000000000000001  # mu
    p3 = sum_p * -0.5
    p4 = p3 * r
    grad[1] = -7.0 + (tau * -0.04000000000000001 - (p4 + r * p3) * r * r) * tau  # tau
    p5 = mu * 0.2
    p6 = tau * 0.2
    logp_tau = -0.5 * (p6 * p6) - 1.8352292650788278 + q_tau
    t = -0.5 * (p5 * p5) - 2.5283764456387727 + logp_tau
    fold_1 = data[8]
    return t + (p4 * r - (q_tau + 0.9189385332046727) * 8.0) + (sum_p2 * -0.5 + fold_1)


@njit(
    "void(f8[::1], f8[::1], f8[::1], f4[::1], i8[::1], f8[::1])",
    cache=True, error_model="numpy", fastmath={"contract"}, nogil=True,
    pipeline_class=Distinct,
)
def expand(q, out, data, data32, index, work):
    """Write what is kept of the draw at `q`."""
    theta = view(q, 2)
    out_theta = view(out, 2)
    out[0] = q[0]  # mu
    tau = exp(q[1])
    out[1] = tau  # tau
    # out_theta
    for i in range(8):
        out_theta[i] = theta[i]
