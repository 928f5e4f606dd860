"""Log density, gradient and outputs of a model; written by exmc_dask."""

from numba import njit

from .linalg import times, transposed_times
from .loops import Distinct, view
from .vecmath import accumulate, sigmoid, softplus


@njit(
    "f8(f8[::1], f8[::1], f8[::1], f4[::1], i8[::1], f8[::1])",
    cache=True, error_model="numpy", fastmath={"contract"}, nogil=True,
    pipeline_class=Distinct,
)
def logp_grad(q, grad, data, data32, index, work):
    """Return the log density at `q`; write its gradient."""
    n_y_observed = index[0]
    at_y_logit_p = index[1]
    at_y_observed = index[2]
    beta = view(q, 1)
    grad_beta = view(grad, 1)
    y_logit_p = view(data, at_y_logit_p)
    y_observed = view(data, at_y_observed)
    y_logit_p_T_d = view(work, 0)
    y_logit_p_beta = view(work, 20)
    d = view(work, 532)
    for i in range(20):
        y_logit_p_T_d[i] = 0.0
    sum_d = 0.0
    logp_y = 0.0
    alpha = q[0]
    # sum_d, y_logit_p_T_d, logp_y
    for start in range(0, n_y_observed, 512):
        rows = min(512, n_y_observed - start)
        times(y_logit_p, n_y_observed, 20, start, rows, beta, y_logit_p_beta)
        y_observed_tile = view(y_observed, start)
        for i in range(rows):
            float_y_observed = y_observed_tile[i]
            t = alpha + y_logit_p_beta[i]
            sigmoid2 = sigmoid(t)
            d2 = float_y_observed - sigmoid2
            sum_d = accumulate(sum_d, d2)
            softplus2 = softplus(t)
            logp_y = accumulate(logp_y, float_y_observed * t - softplus2)
            d[i] = d2
        transposed_times(y_logit_p, n_y_observed, 20, start, rows, d, y_logit_p_T_d)
    grad[0] = sum_d + alpha * -0.010000000000000002  # alpha
    sum_p = 0.0
    # sum_p, grad_beta
    for i in range(20):
        beta_i = beta[i]
        sum_p = accumulate(sum_p, beta_i * beta_i)
        y_logit_p_T_d2 = y_logit_p_T_d[i]
        grad_beta[i] = y_logit_p_T_d2 + beta_i * -0.010000000000000002
    p = alpha * 0.1
    logp_beta = sum_p * -0.005000000000000001 - 64.43047252397437
    return -0.5 * (p * p) - 3.2215236261987186 + logp_beta + logp_y


@njit(
    "void(f8[::1], f8[::1], f8[::1], f4[::1], i8[::1], f8[::1])",
    cache=True, error_model="numpy", fastmath={"contract"}, nogil=True,
    pipeline_class=Distinct,
)
def expand(q, out, data, data32, index, work):
    """Write what is kept of the draw at `q`."""
    beta = view(q, 1)
    out_beta = view(out, 1)
    out[0] = q[0]  # alpha
    # out_beta
    for i in range(20):
        out_beta[i] = beta[i]
