"""How each elementwise operation is written for Numba on the CPU: one row an Op.

A rule takes the texts of its operands and gives a text. What a row calls by name is imported by the
emitted file: from ``math`` where LLVM has an instruction, from the runtime otherwise.
"""

from collections.abc import Callable, Mapping

from exmc_dask.expressions.ops import Op

from .source import ATOM, CHOICE, COMPARISON, POWER, PRODUCT, SUM, UNARY, Text

type Rule = Callable[..., Text]

VECMATH = frozenset(
    {
        "accumulate", "arctan", "cos", "exp", "expm1", "floor", "log", "log1p", "maximum",
        "minimum", "pow", "sigmoid", "sign", "sin", "softplus", "tanh",
    }
)  # fmt: skip
SPECIAL = frozenset(
    {
        "digamma", "erf", "erfc", "erfcx", "i0e", "i1e", "lgamma", "log_ndtr", "probit", "trigamma",
    }
)  # fmt: skip
INCOMPLETE = frozenset(
    {"betainc_shape", "gammainc_shape", "log_betainc_odds", "log_gammainc", "log_gammaincc"}
)
LOOPS = frozenset({"Distinct", "add_at", "at", "view"})
LINALG = frozenset({"cholesky", "matmul", "times", "transposed_times", "trisolve"})
MATH = frozenset({"inf", "sqrt"})

IMPORTS = {
    "math": MATH,
    ".incomplete": INCOMPLETE,
    ".linalg": LINALG,
    ".loops": LOOPS,
    ".special": SPECIAL,
    ".vecmath": VECMATH,
}
"""Module -> names that emitted text may call; the text imports those it does."""
OUTSIDE = ("from numba import njit",)
"""Imports that every emitted module has."""
ALWAYS = frozenset({"Distinct"})
"""Names that every emitted module calls."""
PART = (
    "@njit(",
    '    error_model="numpy", fastmath={"contract"}, pipeline_class=Distinct,',
    "    no_cpython_wrapper=True, no_cfunc_wrapper=True,",
    ")",
)
"""Decorator of a part of a long function."""
DRIVERS: tuple[str, ...] = ()
"""Lines behind the two functions: a model on a CPU is called through a pointer."""


def decorator(result: str) -> tuple[str, ...]:
    """Return the decorator of a whole function that returns `result`, "f8" or "void"."""
    return (
        "@njit(",
        f'    "{result}(f8[::1], f8[::1], f8[::1], f4[::1], i8[::1], f8[::1])",',
        '    cache=True, error_model="numpy", fastmath={"contract"}, nogil=True,',
        "    pipeline_class=Distinct,",
        ")",
    )


def as_float(x: Text) -> Text:
    """`x` as a float."""
    match x.kind:
        case "b":
            return Text(f"1.0 if {x.inside(CHOICE + 1)} else 0.0", CHOICE)
        case "i":
            return Text(f"float({x.text})")
        case _:
            return x


def as_index(x: Text) -> Text:
    """`x`, a whole number, as an integer."""
    return x if x.kind == "i" else Text(f"int({x.text})", kind="i")


def as_bool(x: Text) -> Text:
    """`x` as a bool."""
    return x if x.kind == "b" else Text(f"{x.inside(SUM)} != 0", COMPARISON, "b")


def view(array: str, start: str) -> str:
    """Return an array from `start` on."""
    return f"view({array}, {start})"


def _call(name: str) -> Rule:
    return lambda *xs: Text(f"{name}({', '.join(as_float(x).text for x in xs)})")


def _numeric(x: Text) -> Text:
    return as_float(x) if x.kind == "b" else x


def _infix(sign: str, binds: int) -> Rule:
    """Left-associative arithmetic; the result is a float unless both sides are integers."""

    def rule(x: Text, y: Text) -> Text:
        x, y = _numeric(x), _numeric(y)
        kind = "i" if x.kind == y.kind == "i" and sign != "/" else "f"
        return Text(f"{x.inside(binds)} {sign} {y.inside(binds + 1)}", binds, kind)

    return rule


def _compare(sign: str) -> Rule:
    def rule(x: Text, y: Text) -> Text:
        x, y = _numeric(x), _numeric(y)
        return Text(f"{x.inside(SUM)} {sign} {y.inside(SUM)}", COMPARISON, "b")

    return rule


def _logical(sign: str) -> Rule:
    """Without a branch, unlike ``and`` and ``or``."""
    return lambda x, y: Text(
        f"{as_bool(x).inside(ATOM)} {sign} {as_bool(y).inside(ATOM)}", COMPARISON, "b"
    )


def _negative(x: Text) -> Text:
    x = _numeric(x)
    return Text(f"-{x.inside(UNARY)}", UNARY, x.kind)


def _power(x: Text, y: Text) -> Text:
    """Whole literal powers are products, which numba writes out; halves are roots."""
    base = as_float(x)
    try:
        exponent = float(y.text)
    except ValueError:
        return _call("pow")(x, y)
    if exponent == 0.5:
        return Text(f"sqrt({base.text})")
    if exponent == int(exponent) and abs(exponent) <= 64:
        return Text(f"{base.inside(ATOM)} ** {int(exponent)}", POWER)
    return _call("pow")(x, y)


def _where(condition: Text, x: Text, y: Text) -> Text:
    condition = as_bool(condition)
    if x.kind != y.kind:
        x, y = as_float(x), as_float(y)
    parts = [part.inside(CHOICE + 1) for part in (x, condition, y)]
    return Text(f"{parts[0]} if {parts[1]} else {parts[2]}", CHOICE, x.kind)


RULES: Mapping[Op, Rule] = {
    Op.NEG: _negative,
    Op.EXP: _call("exp"),
    Op.LOG: _call("log"),
    Op.LOG1P: _call("log1p"),
    Op.EXPM1: _call("expm1"),
    Op.SQRT: _call("sqrt"),
    Op.ABS: _call("abs"),
    Op.SIGN: _call("sign"),
    Op.FLOOR: _call("floor"),
    Op.SIN: _call("sin"),
    Op.COS: _call("cos"),
    Op.ARCTAN: _call("arctan"),
    Op.TANH: _call("tanh"),
    Op.SIGMOID: _call("sigmoid"),
    Op.SOFTPLUS: _call("softplus"),
    Op.ERF: _call("erf"),
    Op.ERFC: _call("erfc"),
    Op.ERFCX: _call("erfcx"),
    Op.LOG_NDTR: _call("log_ndtr"),
    Op.LGAMMA: _call("lgamma"),
    Op.DIGAMMA: _call("digamma"),
    Op.TRIGAMMA: _call("trigamma"),
    Op.PROBIT: _call("probit"),
    Op.I0E: _call("i0e"),
    Op.I1E: _call("i1e"),
    Op.NOT: lambda x: Text(f"not {as_bool(x).inside(COMPARISON)}", COMPARISON, "b"),
    Op.FLOAT: as_float,
    Op.ADD: _infix("+", SUM),
    Op.SUB: _infix("-", SUM),
    Op.MUL: _infix("*", PRODUCT),
    Op.DIV: _infix("/", PRODUCT),
    Op.POW: _power,
    Op.MAXIMUM: _call("maximum"),
    Op.MINIMUM: _call("minimum"),
    Op.LT: _compare("<"),
    Op.LE: _compare("<="),
    Op.EQ: _compare("=="),
    Op.AND: _logical("&"),
    Op.OR: _logical("|"),
    Op.LOG_GAMMAINC: _call("log_gammainc"),
    Op.LOG_GAMMAINCC: _call("log_gammaincc"),
    Op.GAMMAINC_SHAPE: _call("gammainc_shape"),
    Op.LOG_BETAINC_ODDS: _call("log_betainc_odds"),
    Op.BETAINC_SHAPE: _call("betainc_shape"),
    Op.WHERE: _where,
}
"""A row for every elementwise Op."""
