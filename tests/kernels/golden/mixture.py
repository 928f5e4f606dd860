"""Log density, gradient and outputs of a model; written by exmc_dask."""

from math import inf
from numba import njit

from .loops import Distinct, view
from .vecmath import accumulate, exp, log, maximum, sigmoid, softplus


@njit(
    "f8(f8[::1], f8[::1], f8[::1], f4[::1], i8[::1], f8[::1])",
    cache=True, error_model="numpy", fastmath={"contract"}, nogil=True,
    pipeline_class=Distinct,
)
def logp_grad(q, grad, data, data32, index, work):
    """Return the log density at `q`; write its gradient."""
    n_y_observed = index[0]
    at_y_observed = index[1]
    q_w = view(q, 0)
    mu = view(q, 2)
    grad_mu = view(grad, 2)
    grad_w = view(grad, 0)
    fold_0 = view(data, 0)
    y_observed = view(data, at_y_observed)
    w_a = view(data, 4)
    softplus2 = view(work, 16)
    concat = view(work, 11)
    cumsum2 = view(work, 14)
    sum = view(work, 5)
    sum2 = view(work, 8)
    t = view(work, 0)
    cumsum = view(work, 3)
    sum_softplus = 0.0
    # softplus2, sum_softplus
    for i in range(2):
        t2 = q_w[i] + fold_0[i]
        softplus_here = softplus(t2)
        softplus2[i] = softplus_here
        sum_softplus = accumulate(sum_softplus, softplus_here)
    concat[2] = -sum_softplus
    sum_m = 0.0
    # cumsum2
    for i in range(2):
        softplus3 = softplus2[i]
        sum_m += -softplus3
        cumsum2[i] = sum_m
    sum_t = 0.0
    # sum_t, concat
    for i in range(2):
        t3 = q_w[i] + fold_0[i]
        m2 = -t3
        softplus4 = softplus(m2)
        softplus5 = softplus2[i]
        t4 = cumsum2[i] + softplus5
        sum_t = accumulate(sum_t, -softplus4 - softplus5 + t4)
        concat[i] = t4 - softplus4
    for i in range(3):
        sum[i] = 0.0
    for i in range(3):
        sum2[i] = 0.0
    sum_exp = 0.0
    sum_p = 0.0
    logp_y = 0.0
    q_sigma = q[5]
    sigma = exp(q_sigma)
    r = 1.0 / sigma
    t5 = q_sigma + 0.9189385332046727
    # sum, sum_exp, sum_p, logp_y, sum2
    for i in range(n_y_observed):
        top_t = -inf
        y_observed_i = y_observed[i]
        # top_t
        for j in range(3):
            concat2 = concat[j]
            mu_j = mu[j]
            d = y_observed_i - mu_j
            p = d * r
            t6 = concat2 + (-0.5 * (p * p) - t5)
            top_t = maximum(top_t, t6)
        sum_exp2 = 0.0
        abs2 = abs(top_t)
        is_less = abs2 < inf
        w2 = top_t if is_less else 0.0
        # sum_exp2
        for j in range(3):
            concat3 = concat[j]
            mu_j2 = mu[j]
            d2 = y_observed_i - mu_j2
            p2 = d2 * r
            t7 = concat3 + (-0.5 * (p2 * p2) - t5)
            exp2 = exp(t7 - w2)
            sum_exp2 = accumulate(sum_exp2, exp2)
        log2 = log(sum_exp2)
        t9 = log2 + w2
        # sum, sum_exp, sum_p, sum2
        for j in range(3):
            concat4 = concat[j]
            mu_j3 = mu[j]
            d3 = y_observed_i - mu_j3
            p3 = d3 * r
            t8 = concat4 + (-0.5 * (p3 * p3) - t5)
            exp3 = exp(t8 - t9)
            p4 = exp3 * d3
            sum[j] += p4
            sum_exp = accumulate(sum_exp, exp3)
            sum_p = accumulate(sum_p, p4 * d3)
            sum2[j] += exp3
        logp_y = accumulate(logp_y, t9)
    sum_p2 = 0.0
    sum_p3 = 0.0
    p5 = -0.5 * r
    p6 = r * -2.0
    p7 = p5 * p6
    # sum_p2, sum_p3, grad_mu, t
    for i in range(3):
        mu_i = mu[i]
        sum_p2 = accumulate(sum_p2, mu_i * mu_i)
        d4 = w_a[i] - 1.0
        concat5 = concat[i]
        sum_p3 = accumulate(sum_p3, d4 * concat5)
        sum3 = sum[i]
        grad_mu[i] = sum3 * p7 + mu_i * -0.1111111111111111
        sum4 = sum2[i]
        t_here = sum4 + d4
        t[i] = t_here
    p8 = -0.5 * sigma
    grad[5] = 1.0 - sum_exp + (p8 - sum_p * -0.5 * r * 2.0 * r * r + p8) * sigma  # sigma
    sum_t2 = 0.0
    # cumsum
    for i in range(2):
        t10 = t[1 - i]
        sum_t2 += 1.0 + t10
        cumsum[1 - i] = sum_t2
    t12 = t[2]
    d5 = -1.0 - t12
    t13 = 1.0 + d5
    # grad_w
    for i in range(2):
        t11 = t[i]
        t14 = q_w[i] + fold_0[i]
        sigmoid2 = sigmoid(t14)
        m3 = -t14
        sigmoid3 = sigmoid(m3)
        grad_w[i] = (t11 + t13 - cumsum[i]) * sigmoid2 - (-1.0 - t11) * sigmoid3
    fold_1 = data[2]
    fold_2 = data[3]
    logp_mu = sum_p2 * -0.05555555555555555 - 6.052652465618347
    logp_sigma = -0.5 * (sigma * sigma) + -0.22579135264472738 + q_sigma
    return sum_p3 + fold_1 - fold_2 + sum_t + logp_mu + logp_sigma + logp_y


@njit(
    "void(f8[::1], f8[::1], f8[::1], f4[::1], i8[::1], f8[::1])",
    cache=True, error_model="numpy", fastmath={"contract"}, nogil=True,
    pipeline_class=Distinct,
)
def expand(q, out, data, data32, index, work):
    """Write what is kept of the draw at `q`."""
    q_w = view(q, 0)
    mu = view(q, 2)
    out_mu = view(out, 3)
    out_w = view(out, 0)
    fold_0 = view(data, 0)
    softplus2 = view(work, 5)
    concat = view(work, 0)
    cumsum = view(work, 3)
    sigma = exp(q[5])
    out[6] = sigma  # sigma
    sum_softplus = 0.0
    # softplus2, sum_softplus
    for i in range(2):
        t = q_w[i] + fold_0[i]
        softplus_here = softplus(t)
        softplus2[i] = softplus_here
        sum_softplus = accumulate(sum_softplus, softplus_here)
    concat[2] = -sum_softplus
    sum_m = 0.0
    # cumsum
    for i in range(2):
        softplus3 = softplus2[i]
        sum_m += -softplus3
        cumsum[i] = sum_m
    # concat
    for i in range(2):
        softplus4 = softplus2[i]
        t2 = q_w[i] + fold_0[i]
        softplus5 = softplus(-t2)
        concat[i] = cumsum[i] + softplus4 - softplus5
    # out_mu, out_w
    for i in range(3):
        out_mu[i] = mu[i]
        w_i = exp(concat[i])
        out_w[i] = w_i
