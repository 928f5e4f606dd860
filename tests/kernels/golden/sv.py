"""Log density, gradient and outputs of a model; written by exmc_dask."""

from numba import njit

from .loops import Distinct, view
from .special import digamma, lgamma
from .vecmath import accumulate, exp, log, log1p


@njit(
    "f8(f8[::1], f8[::1], f8[::1], f4[::1], i8[::1], f8[::1])",
    cache=True, error_model="numpy", fastmath={"contract"}, nogil=True,
    pipeline_class=Distinct,
)
def logp_grad(q, grad, data, data32, index, work):
    """Return the log density at `q`; write its gradient."""
    s = view(q, 2)
    grad_s = view(grad, 2)
    r_observed = view(data, 0)
    sum_r = 0.0
    sum_log1p = 0.0
    logp_r = 0.0
    q_nu = q[1]
    nu = exp(q_nu)
    r2 = 1.0 / nu
    t2 = nu + 1.0
    p3 = t2 * -0.5
    p4 = 0.5 * t2
    lgamma2 = lgamma(p4)
    p5 = 0.5 * nu
    lgamma3 = lgamma(p5)
    d = lgamma2 - lgamma3
    p6 = nu * 3.141592653589793
    log2 = log(p6)
    p7 = 0.5 * log2
    d2 = d - p7
    # sum_r, sum_log1p, grad_s, logp_r
    for i in range(100):
        s_i = s[i]
        exp_s = exp(s_i)
        r = r_observed[i] / exp_s
        p = r * r
        p2 = p * r2
        t = 1.0 + p2
        sum_r = accumulate(sum_r, p / t)
        log1p2 = log1p(p2)
        sum_log1p = accumulate(sum_log1p, log1p2)
        grad_s[i] = -1.0 - p3 / t * r2 * r * 2.0 / exp_s * r * exp_s
        logp_r = accumulate(logp_r, d2 - s_i - p4 * log1p2)
    digamma2 = digamma(p5)
    digamma3 = digamma(p4)
    t3 = -50.0 / p6 * 3.141592653589793 + p4 * sum_r * r2 * r2 + digamma2 * -50.0
    grad[1] = 1.0 + (t3 + (100.0 * digamma3 - sum_log1p) * 0.5 + -0.1) * nu  # nu
    sum_p = 0.0
    q_sigma = q[0]
    sigma = exp(q_sigma)
    r3 = 1.0 / sigma
    p8 = r3 * r3
    # sum_p, grad_s
    for i in range(99):
        s_i2 = s[1 + i]
        s_i3 = s[i]
        d3 = s_i2 - s_i3
        sum_p = accumulate(sum_p, d3 * d3)
        grad_s[i] += d3 * p8
    s2 = s[0]
    r4 = s2 / sigma
    r5 = r4 / sigma
    p9 = sum_p * -0.5
    p10 = p9 * r3
    grad[0] = -99.0 + (r5 * r4 - (p10 + r3 * p9) * r3 * r3 + -50.0) * sigma  # sigma
    m2 = -p8
    # grad_s
    for i in range(99):
        s_i4 = s[1 + i]
        s_i5 = s[i]
        d4 = s_i4 - s_i5
        grad_s[1 + i] += d4 * m2
    grad_s[0] += -r5
    logp_sigma = 3.912023005428146 - 50.0 * sigma + q_sigma
    d5 = p10 * r3 - (q_sigma + 0.9189385332046727) * 99.0
    t4 = logp_sigma + (-2.3025850929940455 - 0.1 * nu + q_nu)
    return t4 + (-0.5 * (r4 * r4) - q_sigma - 0.9189385332046727 + d5) + logp_r


@njit(
    "void(f8[::1], f8[::1], f8[::1], f4[::1], i8[::1], f8[::1])",
    cache=True, error_model="numpy", fastmath={"contract"}, nogil=True,
    pipeline_class=Distinct,
)
def expand(q, out, data, data32, index, work):
    """Write what is kept of the draw at `q`."""
    s = view(q, 2)
    out_s = view(out, 2)
    sigma = exp(q[0])
    out[0] = sigma  # sigma
    nu = exp(q[1])
    out[1] = nu  # nu
    # out_s
    for i in range(100):
        out_s[i] = s[i]
