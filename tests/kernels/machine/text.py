"""PTX as records: what a module holds, and the instructions of its functions.

Read is what NVVM writes: braces of a scope, labels and the heads of functions have lines of their
own. What is not known is an error, never left out.

The language: PTX ISA, https://docs.nvidia.com/cuda/parallel-thread-execution.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Variable:
    """Memory with a name: ``.global``, ``.shared``, ``.local`` or ``.param``."""

    name: str
    space: str
    size: int
    align: int
    content: bytes | None = None


@dataclass(frozen=True)
class Register:
    """Registers ``name0`` to ``name<count - 1>``; one called `name` where `count` is 0."""

    kind: str
    name: str
    count: int = 0


@dataclass(frozen=True)
class Label:
    """A place to branch to."""

    name: str


@dataclass(frozen=True)
class Instruction:
    """An operation and its operands, done if the `guard` holds (``!`` in front: does not)."""

    line: int
    guard: str
    op: tuple[str, ...]
    operands: tuple[str, ...]


@dataclass(frozen=True)
class Function:
    """An entry point or a function."""

    name: str
    is_entry: bool
    params: tuple[Variable, ...]
    results: tuple[Variable, ...]
    body: list[Label | Instruction] = field(default_factory=list)
    registers: list[Register] = field(default_factory=list)
    variables: list[Variable] = field(default_factory=list)


@dataclass(frozen=True)
class Module:
    """Variables and functions of a text."""

    variables: list[Variable] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)


_VARIABLE = re.compile(
    r"(?:\.(?:visible|common|weak|extern) )*\.(?P<space>global|shared|local|param|const) "
    r"(?:\.align (?P<align>\d+) )?\.(?P<kind>[bsuf]\d+) (?P<name>[\w$]+)"
    r"(?:\[(?P<count>\d+)\])?(?: = \{(?P<content>[^}]*)\})?$"
)
_HEAD = re.compile(
    r"(?:\.(?:visible|weak|extern) )*\.(?P<kind>entry|func) (?:\((?P<results>.*?)\) )?"
    r"(?P<name>[\w$]+) ?\((?P<params>.*?)\)"
)
_REGISTER = re.compile(r"\.reg \.(?P<kind>\w+) (?P<names>.*)$")
_INSTRUCTION = re.compile(r"(?:@(?P<guard>!?%\w+) )?(?P<op>[a-z][\w.:]*)(?: (?P<operands>.*))?$")
_LABEL = re.compile(r"([\w$]+):$")
_NAME = re.compile(r"(?<![\w$])%?[A-Za-z_$][\w$]*")
_NOTHING = ("version", "target", "address_size", "pragma", "maxntid", "minnctapersm")


def parse(text: str) -> Module:
    """Return the records of a text.

    Raises
    ------
    ValueError
        A line is not understood; the message has it.
    """
    module = Module()
    function: Function | None = None
    scopes: list[dict[str, str]] = []
    n_scopes = 0
    for number, statement in _statements(text):
        if statement == "{":
            n_scopes += 1
            scopes.append({})
        elif statement == "}":
            scopes.pop()
            function = function if scopes else None
        elif statement.startswith(tuple(f".{word}" for word in _NOTHING)):
            continue
        elif head := _HEAD.match(statement):
            if statement.endswith(";"):
                continue  # said again where its body is
            function = Function(
                head["name"], head["kind"] == "entry", _list(head["params"]), _list(head["results"])
            )
            module.functions.append(function)
        elif function is None:
            module.variables.append(_variable(statement.rstrip("; "), number))
        else:
            _take(function, number, statement.rstrip("; "), scopes, n_scopes)
    return module


def _take(
    function: Function, number: int, text: str, scopes: list[dict[str, str]], scope: int
) -> None:
    """Add a statement of a body; names of an inner scope get its number."""
    inner = scopes[-1] if len(scopes) > 1 else None

    def known(name: str) -> str:
        return next((names[name] for names in reversed(scopes) if name in names), name)

    def declare(name: str) -> str:
        if inner is None:
            return name
        inner[name] = f"{name}_{scope}"
        return inner[name]

    if label := _LABEL.match(text):
        function.body.append(Label(label[1]))
    elif registers := _REGISTER.match(text):
        for each in registers["names"].split(","):
            name, _, count = each.strip().rstrip(">").partition("<")
            function.registers.append(Register(registers["kind"], declare(name), int(count or 0)))
    elif text.startswith("."):
        inside = _variable(text, number)
        function.variables.append(replace(inside, name=declare(inside.name)))
    elif found := _INSTRUCTION.match(text):
        operands = _NAME.sub(lambda name: known(name[0]), found["operands"] or "")
        function.body.append(
            Instruction(
                *(number, found["guard"] or "", tuple(found["op"].split("."))),
                tuple(_split(operands)),
            )
        )
    else:
        raise ValueError(f"line {number} is not understood: {text}")


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield statements, braces and labels with the number of their first line."""
    parts: list[str] = []
    first = 0
    for number, line in enumerate(text.splitlines(), 1):
        bare = " ".join(line.partition("//")[0].split())
        if not bare:
            continue
        if bare in "{}" and (not parts or parts[0].startswith(".")):
            if parts:
                yield first, " ".join(parts)
                parts.clear()
            yield number, bare
            continue
        first = first if parts else number
        parts.append(bare)
        if bare.endswith((";", ":")) or bare.startswith(tuple(f".{word}" for word in _NOTHING)):
            yield first, " ".join(parts)
            parts.clear()


def _variable(text: str, number: int) -> Variable:
    found = _VARIABLE.match(text)
    if found is None:
        raise ValueError(f"line {number} is not understood: {text}")
    width = int(found["kind"][1:]) // 8
    content = found["content"]
    return Variable(
        *(found["name"], found["space"], width * int(found["count"] or 1)),
        int(found["align"] or width),
        None if content is None else bytes(int(each) for each in content.split(",")),
    )


def _list(text: str | None) -> tuple[Variable, ...]:
    return tuple(_variable(each.strip(), 0) for each in (text or "").split(",") if each.strip())


def _split(operands: str) -> list[str]:
    """Split at commas that are in no brackets."""
    parts, depth = [""], 0
    for letter in operands:
        depth += (letter in "{[(") - (letter in "}])")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]
