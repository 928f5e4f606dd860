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
    at_sum_exp = index[2]
    at_top_t = index[3]
    q_w = view(q, 0)
    mu = view(q, 2)
    grad_mu = view(grad, 2)
    grad_w = view(grad, 0)
    fold_0 = view(data, 0)
    w_a = view(data, 4)
    y_observed = view(data, at_y_observed)
    softplus2 = view(work, 10)
    concat = view(work, 5)
    cumsum2 = view(work, 8)
    top_t = view(work, at_top_t)
    sum_exp = view(work, at_sum_exp)
    t2 = view(work, 12)
    t = view(work, 0)
    cumsum = view(work, 3)
    sum_softplus = 0.0
    # softplus2, sum_softplus
    for i in range(2):
        t3 = q_w[i] + fold_0[i]
        softplus_here = softplus(t3)
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
    # concat, sum_t
    for i in range(2):
        softplus4 = softplus2[i]
        t4 = cumsum2[i] + softplus4
        t5 = q_w[i] + fold_0[i]
        m2 = -t5
        softplus5 = softplus(m2)
        concat[i] = t4 - softplus5
        sum_t = accumulate(sum_t, -softplus5 - softplus4 + t4)
    for i in range(n_y_observed):
        top_t[i] = -inf
    sum_p = 0.0
    sum_p2 = 0.0
    q_sigma = q[5]
    sigma = exp(q_sigma)
    r = 1.0 / sigma
    t6 = q_sigma + 0.9189385332046727
    # sum_p, sum_p2, top_t
    for i in range(3):
        mu_i = mu[i]
        sum_p = accumulate(sum_p, mu_i * mu_i)
        d = w_a[i] - 1.0
        concat2 = concat[i]
        sum_p2 = accumulate(sum_p2, d * concat2)
        # top_t
        for j in range(n_y_observed):
            d2 = y_observed[j] - mu_i
            p = d2 * r
            t7 = concat2 + (-0.5 * (p * p) - t6)
            top_t[j] = maximum(top_t[j], t7)
    for i in range(n_y_observed):
        sum_exp[i] = 0.0
    # sum_exp
    for i in range(3):
        concat3 = concat[i]
        mu_i2 = mu[i]
        # sum_exp
        for j in range(n_y_observed):
            d3 = y_observed[j] - mu_i2
            p2 = d3 * r
            t8 = concat3 + (-0.5 * (p2 * p2) - t6)
            top_t2 = top_t[j]
            w2 = top_t2 if abs(top_t2) < inf else 0.0
            exp2 = exp(t8 - w2)
            sum_exp[j] += exp2
    logp_y = 0.0
    # t2, logp_y
    for i in range(n_y_observed):
        sum_exp2 = sum_exp[i]
        log2 = log(sum_exp2)
        top_t3 = top_t[i]
        w3 = top_t3 if abs(top_t3) < inf else 0.0
        t_here = log2 + w3
        t2[i] = t_here
        logp_y = accumulate(logp_y, t_here)
    sum_exp3 = 0.0
    sum_p3 = 0.0
    p5 = -0.5 * r
    p6 = r * -2.0
    p7 = p5 * p6
    # grad_mu, t, sum_exp3, sum_p3
    for i in range(3):
        sum_p4 = 0.0
        sum_exp4 = 0.0
        concat4 = concat[i]
        mu_i3 = mu[i]
        # sum_p4, sum_exp4, sum_exp3, sum_p3
        for j in range(n_y_observed):
            d4 = y_observed[j] - mu_i3
            p3 = d4 * r
            t9 = concat4 + (-0.5 * (p3 * p3) - t6)
            t10 = t2[j]
            exp3 = exp(t9 - t10)
            p4 = exp3 * d4
            sum_p4 = accumulate(sum_p4, p4)
            sum_exp4 = accumulate(sum_exp4, exp3)
            sum_exp3 = accumulate(sum_exp3, exp3)
            sum_p3 = accumulate(sum_p3, p4 * d4)
        grad_mu[i] = sum_p4 * p7 + mu_i3 * -0.1111111111111111
        d5 = w_a[i] - 1.0
        t_here2 = sum_exp4 + d5
        t[i] = t_here2
    p8 = -0.5 * sigma
    grad[5] = 1.0 - sum_exp3 + (p8 - sum_p3 * -0.5 * r * 2.0 * r * r + p8) * sigma  # sigma
    sum_t2 = 0.0
    # cumsum
    for i in range(2):
        t11 = t[1 - i]
        sum_t2 += 1.0 + t11
        cumsum[1 - i] = sum_t2
    t13 = t[2]
    d6 = -1.0 - t13
    t14 = 1.0 + d6
    # grad_w
    for i in range(2):
        t12 = t[i]
        t15 = q_w[i] + fold_0[i]
        sigmoid2 = sigmoid(t15)
        m3 = -t15
        sigmoid3 = sigmoid(m3)
        grad_w[i] = (t12 + t14 - cumsum[i]) * sigmoid2 - (-1.0 - t12) * sigmoid3
    fold_1 = data[2]
    fold_2 = data[3]
    logp_mu = sum_p * -0.05555555555555555 - 6.052652465618347
    logp_sigma = -0.5 * (sigma * sigma) + -0.22579135264472738 + q_sigma
    return sum_p2 + fold_1 - fold_2 + sum_t + logp_mu + logp_sigma + logp_y


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
