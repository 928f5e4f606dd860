"""Log density, gradient and outputs of a model; written by exmc_dask."""

from math import inf
from numba import njit

from .linalg import cholesky, matmul, trisolve
from .loops import Distinct, view
from .vecmath import accumulate, exp, log


@njit(
    "f8(f8[::1], f8[::1], f8[::1], f4[::1], i8[::1], f8[::1])",
    cache=True, error_model="numpy", fastmath={"contract"}, nogil=True,
    pipeline_class=Distinct,
)
def logp_grad(q, grad, data, data32, index, work):
    """Return the log density at `q`; write its gradient."""
    n_y_cov_1 = index[0]
    at_fold_1 = index[1]
    at_y_cov = index[2]
    at_y_cov_2 = index[3]
    at_trisolve2 = index[4]
    at_cholesky3 = index[5]
    at_trisolve3 = index[6]
    at_t = index[7]
    at_trisolve4 = index[8]
    at_w = index[9]
    at_trisolve5 = index[10]
    at_w2 = index[11]
    at_cholesky_T_w = index[12]
    at_w3 = index[13]
    at_trisolve6 = index[14]
    at_m2 = index[15]
    at_sum_w = index[16]
    at_exp2 = index[17]
    y_cov = view(data, at_y_cov)
    y_cov_2 = view(data, at_y_cov_2)
    fold_1 = view(data, at_fold_1)
    exp2 = view(work, at_exp2)
    t = view(work, at_t)
    cholesky2 = view(work, 0)
    w = view(work, at_w)
    cholesky3 = view(work, at_cholesky3)
    trisolve3 = view(work, at_trisolve3)
    m2 = view(work, at_m2)
    sum_w = view(work, at_sum_w)
    trisolve6 = view(work, at_trisolve6)
    w3 = view(work, at_w3)
    cholesky_T_w = view(work, at_cholesky_T_w)
    w2 = view(work, at_w2)
    trisolve5 = view(work, at_trisolve5)
    trisolve4 = view(work, at_trisolve4)
    trisolve2 = view(work, at_trisolve2)
    q_scale = q[0]
    scale = exp(q_scale)
    p = scale * scale
    r = 1.0 / p
    q_noise = q[1]
    noise = exp(q_noise)
    t2 = noise + 0.1
    # exp2, t
    for i in range(n_y_cov_1):
        y_cov_row = view(y_cov, i * n_y_cov_1)
        exp2_row = view(exp2, i * n_y_cov_1)
        y_cov_2_row = view(y_cov_2, i * n_y_cov_1)
        t_row = view(t, i * n_y_cov_1)
        # exp2, t
        for j in range(n_y_cov_1):
            y_cov_i_j = y_cov_row[j]
            exp_here = exp(y_cov_i_j * r)
            exp2_row[j] = exp_here
            y_cov_2_i_j = y_cov_2_row[j]
            t_here = exp_here + y_cov_2_i_j * t2
            t_row[j] = t_here
    cholesky(t, cholesky2, n_y_cov_1)
    sum_w2 = 0.0
    # sum_w2
    for i in range(n_y_cov_1):
        sum_w3 = 0.0
        cholesky2_row = view(cholesky2, i * n_y_cov_1)
        # sum_w3
        for j in range(n_y_cov_1):
            is_equal = i == j
            cholesky4 = cholesky2_row[j]
            sum_w3 = accumulate(sum_w3, cholesky4 if is_equal else 0.0)
        sum_w2 = accumulate(sum_w2, 0.0 if 0.0 < sum_w3 else 1.0)
    is_equal2 = sum_w2 == 0.0
    # w
    for i in range(n_y_cov_1):
        t_row2 = view(t, i * n_y_cov_1)
        w_row = view(w, i * n_y_cov_1)
        # w
        for j in range(n_y_cov_1):
            t3 = t_row2[j]
            is_equal3 = i == j
            float2 = 1.0 if is_equal3 else 0.0
            w_here = t3 if is_equal2 else float2
            w_row[j] = w_here
    cholesky(w, cholesky3, n_y_cov_1)
    trisolve(cholesky3, fold_1, trisolve3, n_y_cov_1, 1, False)
    sum_p = 0.0
    sum_log = 0.0
    # sum_w, sum_p, m2, sum_log
    for i in range(n_y_cov_1):
        trisolve7 = trisolve3[i]
        sum_p = accumulate(sum_p, trisolve7 * trisolve7)
        m_here = -trisolve7
        m2[i] = m_here
        sum_w4 = 0.0
        cholesky3_row = view(cholesky3, i * n_y_cov_1)
        # sum_w4
        for j in range(n_y_cov_1):
            is_equal4 = i == j
            cholesky5 = cholesky3_row[j]
            sum_w4 = accumulate(sum_w4, cholesky5 if is_equal4 else 0.0)
        sum_w[i] = sum_w4
        log2 = log(sum_w4)
        sum_log = accumulate(sum_log, log2)
    trisolve(cholesky3, m2, trisolve6, n_y_cov_1, 1, True)
    # w3
    for i in range(n_y_cov_1):
        sum_w5 = sum_w[i]
        r2 = -1.0 / sum_w5
        trisolve8 = trisolve6[i]
        w3_row = view(w3, i * n_y_cov_1)
        # w3
        for j in range(n_y_cov_1):
            is_equal5 = j == i
            is_equal6 = i == j
            w4 = r2 if is_equal6 else 0.0
            trisolve9 = trisolve3[j]
            p2 = trisolve8 * trisolve9
            is_less = j < i
            w5 = p2 if is_less else 0.0
            d = (w4 if is_equal2 else 0.0) - (p2 if is_equal5 else w5)
            w6 = d if is_less else 0.0
            w_here2 = d if is_equal5 else w6
            w3_row[j] = w_here2
    matmul(cholesky3, 1, n_y_cov_1, w3, n_y_cov_1, 1, cholesky_T_w, n_y_cov_1, n_y_cov_1, n_y_cov_1)
    # w2
    for i in range(n_y_cov_1):
        cholesky_T_w_row = view(cholesky_T_w, i * n_y_cov_1)
        w2_row = view(w2, i * n_y_cov_1)
        # w2
        for j in range(n_y_cov_1):
            is_equal7 = j == i
            cholesky_T_w2 = cholesky_T_w_row[j]
            is_less2 = j < i
            p3 = cholesky_T_w2 * 0.5
            w7 = cholesky_T_w2 if is_less2 else 0.0
            w_here3 = p3 if is_equal7 else w7
            w2_row[j] = w_here3
    trisolve(cholesky3, w2, trisolve5, n_y_cov_1, n_y_cov_1, True)
    # trisolve4
    for i in range(n_y_cov_1):
        trisolve4_row = view(trisolve4, i * n_y_cov_1)
        # trisolve4
        for j in range(n_y_cov_1):
            trisolve_here = trisolve5[j * n_y_cov_1 + i]
            trisolve4_row[j] = trisolve_here
    trisolve(cholesky3, trisolve4, trisolve2, n_y_cov_1, n_y_cov_1, True)
    sum_p2 = 0.0
    sum_p3 = 0.0
    # sum_p2, sum_p3
    for i in range(n_y_cov_1):
        trisolve2_row = view(trisolve2, i * n_y_cov_1)
        exp2_row2 = view(exp2, i * n_y_cov_1)
        y_cov_row2 = view(y_cov, i * n_y_cov_1)
        y_cov_2_row2 = view(y_cov_2, i * n_y_cov_1)
        # sum_p2, sum_p3
        for j in range(n_y_cov_1):
            trisolve10 = trisolve2_row[j]
            trisolve11 = trisolve2[j * n_y_cov_1 + i]
            t4 = trisolve10 + trisolve11
            exp3 = exp2_row2[j]
            y_cov_i_j2 = y_cov_row2[j]
            sum_p2 = accumulate(sum_p2, t4 * exp3 * y_cov_i_j2)
            y_cov_2_i_j2 = y_cov_2_row2[j]
            sum_p3 = accumulate(sum_p3, t4 * y_cov_2_i_j2)
    p4 = sum_p2 * 0.5
    grad[0] = 1.0 + (-0.5 - (p4 if is_equal2 else 0.0) * r * r) * scale * 2.0 * scale  # scale
    p5 = sum_p3 * 0.5
    grad[1] = 1.0 + ((p5 if is_equal2 else 0.0) - noise) * noise  # noise
    logp_noise = -0.5 * (noise * noise) + -0.22579135264472738 + q_noise
    m3 = -sum_log
    fold_0 = data[0]
    t5 = -0.5 * p + -0.22579135264472738 + q_scale + logp_noise
    return t5 + ((m3 if is_equal2 else -inf) - fold_0 - 0.5 * sum_p)


@njit(
    "void(f8[::1], f8[::1], f8[::1], f4[::1], i8[::1], f8[::1])",
    cache=True, error_model="numpy", fastmath={"contract"}, nogil=True,
    pipeline_class=Distinct,
)
def expand(q, out, data, data32, index, work):
    """Write what is kept of the draw at `q`."""
    scale = exp(q[0])
    out[0] = scale  # scale
    noise = exp(q[1])
    out[1] = noise  # noise
