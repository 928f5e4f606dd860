"""PTX as C: one C function a function, one statement an instruction, for `machine.c`.

Threads of a block are fibers: where one waits for others, `meet` changes to the next. Every access
to memory goes through `look`, which knows what may be touched, by whom, and when.

What the result of an instruction is says the PTX ISA, chapter "Instruction Set"; rounding is that
of C, to nearest, and nothing is contracted that PTX does not fuse.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from zlib import crc32

from .text import Function, Instruction, Label, Module, Register, Variable

_C = {
    **{f"{kind}{bits}": f"uint{bits}_t" for kind in "bu" for bits in (8, 16, 32, 64)},
    **{f"s{bits}": f"int{bits}_t" for bits in (8, 16, 32, 64)},
    "f32": "float", "f64": "double", "pred": "int",
}  # fmt: skip
_WIDER = {"u16": "u32", "s16": "s32", "u32": "u64", "s32": "s64", "u64": "u128", "s64": "s128"}
_C |= {"u128": "unsigned __int128", "s128": "__int128"}
_SPECIAL = {
    "%tid.x": "me->tid", "%ctaid.x": "me->ctaid", "%ntid.x": "me->ntid", "%nctaid.x": "me->nctaid",
    "%laneid": "me->tid % 32",
    **{f"%{name}.{axis}": "0" for name in ("tid", "ctaid") for axis in "yz"},
    **{f"%{name}.{axis}": "1" for name in ("ntid", "nctaid") for axis in "yz"},
}  # fmt: skip
_INTEGER: Mapping[str, str] = {
    "add": "{a} + {b}",
    "sub": "{a} - {b}",
    "mul": "{a} * {b}",
    "div": "{a} / {b}",
    "rem": "{a} % {b}",
    "and": "{a} & {b}",
    "or": "{a} | {b}",
    "xor": "{a} ^ {b}",
    "neg": "-{a}",
    "not": "~{a}",
    "abs": "{a} < 0 ? -{a} : {a}",
    "min": "{a} < {b} ? {a} : {b}",
    "max": "{a} > {b} ? {a} : {b}",
    "mad": "{a} * {b} + {c}",
    "mov": "{a}",
    "cvta": "{a}",
    "clz": "{a} ? __builtin_clzll((uint64_t){a}) - (64 - {bits}) : {bits}",
    "popc": "__builtin_popcountll({a})",
}
_FLOAT: Mapping[str, str] = {
    "abs": "fabs{f}({a})",
    "min": "fmin{f}({a}, {b})",
    "max": "fmax{f}({a}, {b})",
    "fma": "fma{f}({a}, {b}, {c})",
    "sqrt": "sqrt{f}({a})",
    "rcp": "1 / {a}",
}
_COMPARED = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_COMPARED |= {"lo": "<", "ls": "<=", "hi": ">", "hs": ">="}
_ROUNDED = {"rni": "rint", "rmi": "floor", "rpi": "ceil", "rzi": "trunc"}
_SPACES = ("global", "shared", "local", "param")
_ARITHMETIC = set(_INTEGER) | set(_FLOAT)


class Unknown(Exception):
    """An instruction that this machine does not have."""


def translate(module: Module) -> str:
    """Return the C of a module with one entry point, to be linked with `machine.c`."""
    entry = next(function for function in module.functions if function.is_entry)
    constants = [each for each in module.variables if each.content is not None]
    shared = [each for each in module.variables if each.space == "shared"]
    lines = [
        '#include "machine.h"',
        *map(_constant, constants),
        *(_memory(each, "static ") for each in shared),
        "void regions(void) {",
        *(f"    constant({_name(v.name)}, {v.size});" for v in constants),
        *(f"    shared({_name(v.name)}, {v.size});" for v in shared),
        "}",
    ]
    for function in sorted(module.functions, key=lambda each: each.is_entry):
        lines += _Writer(function).lines()
    lines.append(f"Entry *entry = {_name(entry.name)};")
    return "\n".join(lines) + "\n"


def _name(name: str) -> str:
    """Return a name of PTX as one of C, that of an entry shorter than numba writes it."""
    plain = name.replace("%", "").replace("$", "_")
    return f"v_{plain}" if len(plain) < 100 else f"v_{plain[:40]}_{crc32(plain.encode()):x}"


def _memory(variable: Variable, kind: str = "") -> str:
    aligned = max(variable.align, 8)
    place = f"{_name(variable.name)}[{variable.size}] __attribute__((aligned({aligned})))"
    return f"{kind}uint8_t {place};"


def _constant(variable: Variable) -> str:
    assert variable.content is not None
    content = ", ".join(map(str, variable.content))
    return _memory(variable, "static ").replace(";", f" = {{{content}}};")


@dataclass
class _Writer:
    """Writes one function."""

    function: Function

    def __post_init__(self) -> None:
        self.kinds = {each.name: each.kind for each in self._registers()}
        variables = (*self.function.params, *self.function.results, *self.function.variables)
        self.variables = {each.name: each for each in variables}

    def _registers(self) -> list[Register]:
        return [
            Register(each.kind, f"{each.name}{k}" if each.count else each.name)
            for each in self.function.registers
            for k in range(each.count or 1)
        ]

    def lines(self) -> list[str]:
        """Return the lines of the function."""
        function = self.function
        local = [each for each in function.variables if each.space == "local"]
        return [
            self._head(),
            *(f"    {_C[kind]} {_name(name)} = 0;" for name, kind in self.kinds.items()),
            *(f"    {_memory(each)}" for each in function.variables),
            "    uint32_t cc = 0; (void)cc;",
            *(f"    enter({_name(each.name)}, {each.size});" for each in local),
            *(line for each in function.body for line in self._line(each, bool(local))),
            "}",
        ]

    def _head(self) -> str:
        name = _name(self.function.name)
        if not self.function.is_entry:
            places = (*self.function.params, *self.function.results)
            declared = ", ".join(f"uint8_t *{_name(place.name)}" for place in places)
            return f"static void {name}({declared}) {{"
        offsets, at = [], 0
        for param in self.function.params:
            at = -(-at // param.align) * param.align
            offsets.append(f"    uint8_t *{_name(param.name)} = params + {at};")
            at += param.size
        return "\n".join([f"void {name}(uint8_t *params) {{", *offsets])

    def _line(self, each: Label | Instruction, leaves: bool) -> list[str]:
        if isinstance(each, Label):
            return [f"{_name(each.name)}:;"]
        guard = ""
        if each.guard:
            no = "!" if each.guard.startswith("!") else ""
            guard = f"if ({no}{_name(each.guard.lstrip('!'))}) "
        try:
            return [f"    {guard}{{ {self._statement(each, leaves)} }}"]
        except (KeyError, Unknown) as error:
            raise Unknown(f"line {each.line}: {'.'.join(each.op)} {each.operands}") from error

    def _statement(self, each: Instruction, leaves: bool) -> str:
        name, *rest = each.op
        operands = each.operands
        match name:
            case "bra":
                return f"goto {_name(operands[0])};"
            case "ret" | "exit":
                return "leave(); return;" if leaves else "return;"
            case "call":
                result, called, params = operands
                places = [*params.strip("()").split(","), *result.strip("()").split(",")]
                given = [_name(place.strip()) for place in places if place.strip()]
                return f"{_name(called)}({', '.join(given)});"
            case "ld" | "st":
                return self._memory(each)
            case "shfl" | "bar" | "barrier" | "vote" | "activemask":
                return self._together(each)
            case "setp":
                return self._compare(each)
            case "selp":
                value = f"{self._get(operands[3], 'pred')} ? " + " : ".join(
                    self._get(operand, rest[0]) for operand in operands[1:3]
                )
                return self._set(operands[0], rest[0], value)
            case "shl" | "shr":
                return self._shift(name, rest[0], operands)
            case "bfi":
                words = [self._get(operand, rest[0]) for operand in operands[1:-2]]
                words += [self._get(operand, "u32") for operand in operands[-2:]]  # where, how many
                return self._set(operands[0], rest[0], f"{name}_{rest[0]}({', '.join(words)})")
            case "cvt":
                return self._convert(each)
            case "mov" if "{" in operands[0] or "{" in operands[1]:
                return self._pack(rest[0], operands)
            case "mul" | "mad" if "hi" in rest or "wide" in rest:
                return self._wide(each)
            case "addc" | "subc" | "madc":
                return self._carry(each)
            case "add" | "sub" | "mad" if "cc" in rest:
                return self._carry(each)
            case _ if name in _ARITHMETIC:
                return self._arithmetic(each)
        raise Unknown

    # Values ---------------------------------------------------------------------------------

    def _get(self, operand: str, kind: str) -> str:
        """Return an operand as C of a type of PTX."""
        is_float = kind in ("f32", "f64")
        if operand in self.kinds:
            has = self.kinds[operand]
            if is_float and has not in ("f32", "f64"):
                return f"{kind}_of({_name(operand)})"
            if has in ("f32", "f64") and not is_float:
                return f"({_C[kind]})bits_{has}({_name(operand)})"
            return f"(({_C[kind]}){_name(operand)})" if kind != "pred" else _name(operand)
        if operand in _SPECIAL:
            return f"(({_C[kind]})({_SPECIAL[operand]}))"
        if operand.startswith(("0d", "0D")):
            return f"f64_of(0x{operand[2:]}ULL)"
        if operand.startswith(("0f", "0F")):
            return f"f32_of(0x{operand[2:]}U)"
        if operand.lstrip("-").isdigit():
            number = int(operand) % 2**64
            return f"(({_C[kind]}){number}ULL)"
        if operand.replace("$", "_").isidentifier():
            return f"((uint64_t){_name(operand)})"
        raise Unknown

    def _set(self, operand: str, kind: str, value: str) -> str:
        """Return a statement that gives a register a value of a type of PTX."""
        if operand == "_":
            return ""
        has = self.kinds[operand]
        value = f"({_C[kind]})({value})"
        if has in ("f32", "f64") and kind not in ("f32", "f64"):
            value = f"{has}_of({value})"
        elif kind in ("f32", "f64") and has not in ("f32", "f64"):
            value = f"bits_{kind}({value})"
        return f"{_name(operand)} = {value};"

    # Instructions ---------------------------------------------------------------------------

    def _arithmetic(self, each: Instruction) -> str:
        name, kind = each.op[0], each.op[-1]
        if name == "cvta":
            kind = "u64"
        names = dict(zip("abc", (self._get(o, kind) for o in each.operands[1:]), strict=False))
        if kind == "pred":
            text = {"not": "!{a}", "mov": "{a} ? 1 : 0"}.get(name) or _INTEGER[name]
            return self._set(each.operands[0], kind, text.format(**names))
        if kind in ("f32", "f64"):
            text = _FLOAT.get(name) or _INTEGER[name]
            if "approx" in each.op:
                text = {"rcp": "rough_rcp({a})"}[name]
            return self._set(
                each.operands[0], kind, text.format(f="f" if kind == "f32" else "", **names)
            )
        text = _INTEGER[name].format(bits=int(kind[1:]), **names)
        return self._set(each.operands[0], "u32" if name in ("clz", "popc") else kind, text)

    def _compare(self, each: Instruction) -> str:
        how, kind = each.op[1], each.op[-1]
        left, right = (self._get(operand, kind) for operand in each.operands[1:3])
        unordered = f"(isnan({left}) || isnan({right}))"
        if how in ("num", "nan"):
            text = unordered if how == "nan" else f"!{unordered}"
        elif kind in ("f32", "f64"):
            text = f"{left} {_COMPARED[how.removesuffix('u')]} {right}"
            text = f"{unordered} || {text}" if how.endswith("u") else f"!{unordered} && {text}"
        else:
            text = f"{left} {_COMPARED[how]} {right}"
        if len(each.operands) > 3:  # setp.lt.and.s32 p, a, b, q
            word = {"and": "&&", "or": "||"}[each.op[2]]
            text = f"({text}) {word} {self._get(each.operands[3], 'pred')}"
        return self._set(each.operands[0], "pred", text)

    def _shift(self, name: str, kind: str, operands: tuple[str, ...]) -> str:
        bits = int(kind[1:])
        value, by = self._get(operands[1], kind), self._get(operands[2], "u32")
        if name == "shl":
            text = f"{by} >= {bits} ? 0 : {value} << {by}"
        elif kind.startswith("s"):
            text = f"{value} >> ({by} >= {bits} ? {bits - 1} : {by})"
        else:
            text = f"{by} >= {bits} ? 0 : {value} >> {by}"
        return self._set(operands[0], kind, text)

    def _convert(self, each: Instruction) -> str:
        *modes, to, of = each.op[1:]
        value = self._get(each.operands[1], of)
        mode = next((mode for mode in modes if mode in _ROUNDED), "")
        if to.startswith("f"):
            return self._set(each.operands[0], to, f"{_ROUNDED[mode]}({value})" if mode else value)
        if of.startswith("f"):
            return self._set(each.operands[0], to, f"to_{to}({_ROUNDED[mode]}({value}))")
        return self._set(each.operands[0], to, value)

    def _pack(self, kind: str, operands: tuple[str, ...]) -> str:
        """Take a register apart, or put one together; the first part has the lowest bits."""
        to, of = operands
        if "{" in to:
            parts = [part.strip() for part in to.strip("{}").split(",")]
            bits = int(kind[1:]) // len(parts)
            value = self._get(of, kind)
            return f"uint64_t whole = {value}; " + " ".join(
                self._set(part, f"u{bits}", f"whole >> {bits * k}") for k, part in enumerate(parts)
            )
        parts = [part.strip() for part in of.strip("{}").split(",")]
        bits = int(kind[1:]) // len(parts)
        whole = " | ".join(
            f"((uint64_t){self._get(part, f'u{bits}')} << {bits * k})"
            for k, part in enumerate(parts)
        )
        return self._set(to, kind, whole)

    def _wide(self, each: Instruction) -> str:
        kind = each.op[-1]
        wide, bits = _C[_WIDER[kind]], int(kind[1:])
        a, b = (f"({wide}){self._get(operand, kind)}" for operand in each.operands[1:3])
        if "wide" in each.op:
            text = f"{a} * {b}"
            kind = _WIDER[kind]
        else:
            text = f"({a} * {b}) >> {bits}"
        if each.op[0] == "mad":
            text = f"{text} + {self._get(each.operands[3], kind)}"
        return self._set(each.operands[0], kind, text)

    def _carry(self, each: Instruction) -> str:
        """Do one step of a sum over several words; `cc` is the carry, or what was borrowed."""
        name, kind = each.op[0], each.op[-1]
        if kind != "u32":
            raise Unknown
        a, b, *c = (f"(uint64_t){self._get(operand, kind)}" for operand in each.operands[1:])
        carried = "cc" if name.endswith("c") else "0"
        if name.startswith("mad"):
            part = f"(uint32_t)({a} * {b})" if "lo" in each.op else f"({a} * {b}) >> 32"
            total = f"({part}) + {c[0]} + {carried}"
        elif name.startswith("add"):
            total = f"{a} + {b} + {carried}"
        else:
            total = f"{a} - {b} - {carried}"
        keep = " cc = (total >> 32) & 1;" if "cc" in each.op else ""
        return f"uint64_t total = {total};{keep} {self._set(each.operands[0], kind, 'total')}"

    def _memory(self, each: Instruction) -> str:
        writes, kind = each.op[0] == "st", each.op[-1]
        address, value = each.operands if writes else reversed(each.operands)
        base, _, offset = address.strip("[]").partition("+")
        space = next((part for part in each.op if part in _SPACES), "generic")
        parts = [part.strip() for part in value.strip("{}").split(",")]
        size = int(kind[1:]) // 8
        how = f"{'WRITE' if writes else 'READ'} | {space.upper()}" + " | ONCE" * ("nc" in each.op)
        looks = (
            f"look(at, {size * len(parts)}, {how}, {'parts' if writes else 'NULL'}, {each.line});"
        )
        if space == "param":
            looks = ""
        word = _C[kind]
        if writes:
            values = ", ".join(self._get(part, kind) for part in parts)
            done = (
                f"{word} parts[] = {{{values}}}; {looks} memcpy((void *)at, parts, sizeof parts);"
            )
        else:
            done = f"{word} parts[{len(parts)}]; {looks} memcpy(parts, (void *)at, sizeof parts); "
            done += " ".join(self._set(part, kind, f"parts[{k}]") for k, part in enumerate(parts))
        return f"uint64_t at = {self._get(base, 'u64')} + {int(offset or 0)}; {done}"

    def _together(self, each: Instruction) -> str:
        op, operands = ".".join(each.op), each.operands
        match op:
            case "bar.sync" | "barrier.sync" if operands == ("0",):
                return f"meet(BLOCK_BARRIER, 0, 0, {each.line});"
            case "bar.red.or.pred" if operands[1] == "0":
                no = "!" if operands[2].startswith("!") else ""
                value = f"{no}{self._get(operands[2].lstrip('!'), 'pred')}"
                met = f"meet(BLOCK_OR, 0, {value}, {each.line})"
                return self._set(operands[0], "pred", met)
            case "bar.warp.sync":
                return f"meet(WARP_BARRIER, {self._get(operands[0], 'u32')}, 0, {each.line});"
            case "shfl.sync.bfly.b32":
                to, _, holds = operands[0].partition("|")
                value, by, clamp, mask = (self._get(operand, "u32") for operand in operands[1:])
                met = f"shuffle({mask}, {value}, {by}, {clamp}, {each.line})"
                seen = self._set(holds, "pred", "1") if holds else ""
                return f"{self._set(to, 'b32', met)} {seen}"
        raise Unknown
