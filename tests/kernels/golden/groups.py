"""Log density, gradient and outputs of a model; written by exmc_dask."""

from numba import njit

from .loops import Distinct, add_at, at, view
from .vecmath import accumulate, exp, log1p


@njit(
    "f8(f8[::1], f8[::1], f8[::1], f4[::1], i8[::1], f8[::1])",
    cache=True, error_model="numpy", fastmath={"contract"}, nogil=True,
    pipeline_class=Distinct,
)
def logp_grad(q, grad, data, data32, index, work):
    """Return the log density at `q`; write its gradient."""
    n_y_observed = index[0]
    at_y_mu = index[1]
    at_y_mu_2 = index[2]
    at_y_observed = index[3]
    a = view(q, 2)
    grad_a = view(grad, 2)
    y_observed = view(data, at_y_observed)
    y_mu_2 = view(data, at_y_mu_2)
    y_mu = view(index, at_y_mu)
    r_by_y_mu = view(work, 0)
    r = view(work, 5)
    for i in range(5):
        r_by_y_mu[i] = 0.0
    sum_p = 0.0
    sum_p2 = 0.0
    sum_log1p = 0.0
    b = q[7]
    q_sigma = q[8]
    sigma = exp(q_sigma)
    r2 = 1.0 / sigma
    # r_by_y_mu, sum_p, sum_p2, sum_log1p
    for start in range(0, n_y_observed, 512):
        rows = min(512, n_y_observed - start)
        y_observed_tile = view(y_observed, start)
        y_mu_tile = view(y_mu, start)
        y_mu_2_tile = view(y_mu_2, start)
        for i in range(rows):
            y_mu_i = y_mu_tile[i]
            a_i = at(a, y_mu_i)
            y_mu_2_i = y_mu_2_tile[i]
            d = y_observed_tile[i] - (a_i + b * y_mu_2_i)
            p = d * r2
            p2 = p * p * 0.25
            r3 = d / (1.0 + p2)
            sum_p = accumulate(sum_p, r3 * y_mu_2_i)
            sum_p2 = accumulate(sum_p2, r3 * d)
            log1p2 = log1p(p2)
            sum_log1p = accumulate(sum_log1p, log1p2)
            r[i] = r3
        add_at(r, y_mu_tile, rows, r_by_y_mu)
    sum_d = 0.0
    sum_p3 = 0.0
    mu = q[0]
    p3 = -0.625 * r2
    p4 = r2 * -2.0
    p5 = p3 * p4
    q_tau = q[1]
    tau = exp(q_tau)
    r4 = 1.0 / tau
    p6 = r4 * r4
    m2 = -p6
    # sum_d, sum_p3, grad_a
    for i in range(5):
        a_i2 = a[i]
        d2 = a_i2 - mu
        sum_d = accumulate(sum_d, d2)
        sum_p3 = accumulate(sum_p3, d2 * d2)
        grad_a[i] = r_by_y_mu[i] * p5 + d2 * m2
    grad[7] = sum_p * -0.625 * r2 * p4 - b  # b
    fold_1 = data[1]
    p7 = -0.5 * sigma
    grad[8] = fold_1 + (p7 - sum_p2 * -0.625 * r2 * 2.0 * r2 * r2 + p7) * sigma  # sigma
    grad[0] = sum_d * (p6 * -0.5) * -2.0 + mu * -0.25  # mu
    p8 = -0.5 * tau
    p9 = sum_p3 * -0.5
    p10 = p9 * r4
    grad[1] = -4.0 + (p8 - (p10 + r4 * p9) * r4 * r4 + p8) * tau  # tau
    p11 = mu * 0.5
    logp_tau = -0.5 * (tau * tau) + -0.22579135264472738 + q_tau
    t = -0.5 * (p11 * p11) - 1.612085713764618 + logp_tau
    t2 = t + (p10 * r4 - (q_tau + 0.9189385332046727) * 5.0)
    logp_sigma = -0.5 * (sigma * sigma) + -0.22579135264472738 + q_sigma
    fold_0 = data[0]
    logp_y = (-0.9808292530117262 - q_sigma) * fold_0 - sum_log1p * 2.5
    return t2 + (-0.5 * (b * b) - 0.9189385332046727) + logp_sigma + logp_y


@njit(
    "void(f8[::1], f8[::1], f8[::1], f4[::1], i8[::1], f8[::1])",
    cache=True, error_model="numpy", fastmath={"contract"}, nogil=True,
    pipeline_class=Distinct,
)
def expand(q, out, data, data32, index, work):
    """Write what is kept of the draw at `q`."""
    a = view(q, 2)
    out_a = view(out, 2)
    out[0] = q[0]  # mu
    tau = exp(q[1])
    out[1] = tau  # tau
    # out_a
    for i in range(5):
        out_a[i] = a[i]
    out[7] = q[7]  # b
    sigma = exp(q[8])
    out[8] = sigma  # sigma
