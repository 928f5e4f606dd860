"""NumPy's functions on expressions: the one of ours that each of them means.

``np.exp(x)`` of an expression is ``ed.math.exp(x)``, ``x.mean()`` is ``ed.math.mean(x)``; what has
no row here is refused by name.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from exmc_dask.expressions.ir import Node, elementwise
from exmc_dask.expressions.ops import Op
from exmc_dask.math import arrange, linear, products, reductions
from exmc_dask.math import elementwise as of_elements

OF_ELEMENTS: Mapping[np.ufunc, Callable[..., Node]] = {
    np.add: partial(elementwise, Op.ADD),
    np.subtract: partial(elementwise, Op.SUB),
    np.multiply: partial(elementwise, Op.MUL),
    np.true_divide: partial(elementwise, Op.DIV),
    np.power: partial(elementwise, Op.POW),
    np.negative: partial(elementwise, Op.NEG),
    np.less: partial(elementwise, Op.LT),
    np.less_equal: partial(elementwise, Op.LE),
    np.greater: lambda a, b: elementwise(Op.LT, b, a),
    np.greater_equal: lambda a, b: elementwise(Op.LE, b, a),
    np.equal: partial(elementwise, Op.EQ),
    np.not_equal: lambda a, b: ~elementwise(Op.EQ, a, b),
    np.matmul: linear.matmul,
    np.exp: of_elements.exp,
    np.log: of_elements.log,
    np.log1p: of_elements.log1p,
    np.expm1: of_elements.expm1,
    np.log2: of_elements.log2,
    np.log10: of_elements.log10,
    np.logaddexp: of_elements.logaddexp,
    np.sqrt: of_elements.sqrt,
    np.square: of_elements.square,
    np.abs: of_elements.abs,
    np.sign: of_elements.sign,
    np.floor: of_elements.floor,
    np.sin: of_elements.sin,
    np.cos: of_elements.cos,
    np.tan: of_elements.tan,
    np.arcsin: of_elements.arcsin,
    np.arccos: of_elements.arccos,
    np.arctan: of_elements.arctan,
    np.sinh: of_elements.sinh,
    np.cosh: of_elements.cosh,
    np.tanh: of_elements.tanh,
    np.arcsinh: of_elements.arcsinh,
    np.arccosh: of_elements.arccosh,
    np.arctanh: of_elements.arctanh,
    np.maximum: of_elements.maximum,
    np.minimum: of_elements.minimum,
}

OF_ARRAYS: Mapping[Callable[..., Any], Callable[..., Node]] = {
    np.sum: reductions.sum,
    np.prod: products.prod,
    np.cumprod: products.cumprod,
    np.mean: reductions.mean,
    np.var: reductions.var,
    np.max: reductions.max,
    np.min: reductions.min,
    np.cumsum: reductions.cumsum,
    np.diff: reductions.diff,
    np.clip: of_elements.clip,
    np.where: of_elements.where,
    np.dot: linear.dot,
    np.outer: linear.outer,
    np.concatenate: arrange.concatenate,
    np.stack: arrange.stack,
    np.reshape: arrange.reshape,
    np.transpose: arrange.transpose,
    np.take: arrange.take,
}

AS_METHODS: Mapping[str, Callable[..., Node]] = {
    "clip": of_elements.clip,
    "cumprod": products.cumprod,
    "cumsum": reductions.cumsum,
    "dot": linear.dot,
    "max": reductions.max,
    "mean": reductions.mean,
    "min": reductions.min,
    "prod": products.prod,
    "take": arrange.take,
    "transpose": arrange.transpose,
    "var": reductions.var,
}
