"""Log density, gradient and outputs of a model; written by exmc_dask."""

from numba import njit

from .loops import Distinct, at, view
from .vecmath import accumulate, exp, log1p


@njit(
    "f8(f8[::1], f8[::1], f8[::1], f4[::1], i8[::1], f8[::1])",
    cache=True, error_model="numpy", fastmath={"contract"}, nogil=True,
    pipeline_class=Distinct,
)
def logp_grad(q, grad, data, data32, index, work):
    """Return the log density at `q`; write its gradient."""
    at_roll_1 = index[1]
    at_roll_2 = index[4]
    q_x0__x11 = view(q, 2)
    q_s0__s11 = view(q, 14)
    grad_x0__x11 = view(grad, 2)
    grad_s0__s11 = view(grad, 14)
    fold_0 = view(data, 0)
    roll_2 = view(data, at_roll_2)
    fold_1 = view(data, 12)
    roll_1 = view(index, at_roll_1)
    exp_q_s0__s11 = view(work, 36)
    r = view(work, 24)
    p_by_roll_0 = view(work, 0)
    p_by_roll_0_2 = view(work, 12)
    sum_d = 0.0
    sum_p = 0.0
    sum_p2 = 0.0
    sum_t = 0.0
    mu = q[0]
    # sum_d, sum_p, exp_q_s0__s11, sum_p2, sum_t, r
    for i in range(12):
        q_x0__x11_i = q_x0__x11[i]
        d = q_x0__x11_i - mu
        sum_d = accumulate(sum_d, d)
        sum_p = accumulate(sum_p, d * d)
        q_s0__s11_i = q_s0__s11[i]
        exp_q_s0__s11_here = exp(q_s0__s11_i)
        exp_q_s0__s11[i] = exp_q_s0__s11_here
        sum_p2 = accumulate(sum_p2, (-0.9808292530117262 - q_s0__s11_i) * fold_0[i])
        t = -0.5 * (exp_q_s0__s11_here * exp_q_s0__s11_here) + -0.22579135264472738
        sum_t = accumulate(sum_t, t + q_s0__s11_i)
        r_here = 1.0 / exp_q_s0__s11_here
        r[i] = r_here
    q_tau = q[1]
    tau = exp(q_tau)
    r2 = 1.0 / tau
    p = r2 * r2
    grad[0] = sum_d * (p * -0.5) * -2.0 + mu * -0.04000000000000001  # mu
    p2 = sum_p * -0.5
    p3 = p2 * r2
    grad[1] = -11.0 + (tau * -0.25 - (p3 + r2 * p2) * r2 * r2) * tau  # tau
    sum_log1p = 0.0
    # p_by_roll_0, p_by_roll_0_2, sum_log1p
    for lane in range(12):
        start = roll_1[lane]
        rows = roll_1[lane + 1] - start
        sum_p3 = 0.0
        sum_p4 = 0.0
        roll_2_tile = view(roll_2, start)
        q_x0__x11_2 = q_x0__x11[lane]
        r3 = r[lane]
        for i in range(rows):
            d2 = roll_2_tile[i] - q_x0__x11_2
            p4 = d2 * r3
            p5 = p4 * p4 * 0.25
            r4 = p4 / (1.0 + p5)
            sum_p3 = accumulate(sum_p3, r4 * r3)
            sum_p4 = accumulate(sum_p4, r4 * d2)
            log1p2 = log1p(p5)
            sum_log1p = accumulate(sum_log1p, log1p2)
        p_by_roll_0[lane] = sum_p3
        p_by_roll_0_2[lane] = sum_p4
    m2 = -p
    # grad_x0__x11, grad_s0__s11
    for i in range(12):
        q_x0__x11_i2 = q_x0__x11[i]
        d3 = q_x0__x11_i2 - mu
        grad_x0__x11[i] = d3 * m2 - p_by_roll_0[i] * -1.25
        exp_q_s0__s11_2 = exp_q_s0__s11[i]
        p6 = -0.5 * exp_q_s0__s11_2
        t2 = p6 - p_by_roll_0_2[i] * -1.25 / exp_q_s0__s11_2 / exp_q_s0__s11_2 + p6
        grad_s0__s11[i] = fold_1[i] + t2 * exp_q_s0__s11_2
    p7 = mu * 0.2
    p8 = tau * 0.5
    logp_tau = -0.5 * (p8 * p8) - 0.9189385332046727 + q_tau
    t3 = -0.5 * (p7 * p7) - 2.5283764456387727 + logp_tau
    t4 = t3 + (p3 * r2 - (q_tau + 0.9189385332046727) * 12.0) + sum_t
    return t4 + (sum_log1p * -2.5 + sum_p2)


@njit(
    "void(f8[::1], f8[::1], f8[::1], f4[::1], i8[::1], f8[::1])",
    cache=True, error_model="numpy", fastmath={"contract"}, nogil=True,
    pipeline_class=Distinct,
)
def expand(q, out, data, data32, index, work):
    """Write what is kept of the draw at `q`."""
    at_roll_3 = index[2]
    q_x0__x11 = view(q, 2)
    q_s0__s11 = view(q, 14)
    out_x0__s11 = view(out, 2)
    roll_3 = view(index, at_roll_3)
    x0__s11_2 = view(work, 0)
    out[0] = q[0]  # mu
    tau = exp(q[1])
    out[1] = tau  # tau
    # x0__s11_2
    for i in range(12):
        x0__s11_2[i] = q_x0__x11[i]
        exp_q_s0__s11 = exp(q_s0__s11[i])
        x0__s11_2[i + 12] = exp_q_s0__s11
    # out_x0__s11
    for i in range(24):
        out_x0__s11[i] = at(x0__s11_2, roll_3[i])
