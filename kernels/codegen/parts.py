"""A long function as a short one that calls its parts.

numba and LLVM take time that grows with the square of a function's length: some of their passes
look at every variable in every block. With parts of bounded length it grows with the length.
A part is given the scalars it reads and returns those that are read after it; what is read from
arguments it reads itself. Parts have no signature: numba compiles them when it compiles the
function that calls them, and keeps all of it in one file.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

from .source import indented

LONG = 300  # lines of a function that stays whole
LENGTH = 100  # lines of a part
_READ_ONLY = re.compile(r"\w+ = (view\(|\w+\[[^]]*:\]|(q|data|data32|index)\[)")
_WIDE = 92


@dataclass(frozen=True)
class Statement:
    """A statement of a function's body, with the comment before it.

    Attributes
    ----------
    lines : list of str
    makes : frozenset of str
        Names it assigns to.
    reads : frozenset of str
        Names it reads before it assigns to them.
    """

    lines: list[str]
    makes: frozenset[str]
    reads: frozenset[str]

    @classmethod
    def of(cls, lines: list[str]) -> "Statement":
        """Look at a statement."""
        first: dict[str, bool] = {}
        makes = set()
        for name, is_made in _names(ast.parse("\n".join(lines))):
            first.setdefault(name, is_made)
            makes |= {name} if is_made else set()
        reads = frozenset(name for name, is_made in first.items() if not is_made)
        return cls(lines, frozenset(makes), reads)

    @property
    def is_read_only(self) -> bool:
        """Whether this reads an argument that is never written, so that it may be repeated."""
        return len(self.lines) == 1 and _READ_ONLY.match(self.lines[0]) is not None


def _names(node: ast.AST) -> Iterator[tuple[str, bool]]:
    """Names in the order in which they are looked at, and whether they are assigned to."""
    match node:
        case ast.Name():
            yield node.id, isinstance(node.ctx, ast.Store)
        case ast.Assign():
            yield from _names(node.value)
            for target in node.targets:
                yield from _names(target)
        case ast.AugAssign(target=ast.Name(id=name)):
            yield name, False
            yield from _names(node.value)
            yield name, True
        case ast.For():
            yield from _names(node.iter)
            yield from _names(node.target)
            for each in node.body:
                yield from _names(each)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _names(child)


def statements(lines: Iterable[str]) -> list[Statement]:
    """Cut the body of a function into statements."""
    found: list[list[str]] = []
    for line in lines:
        is_more = line.startswith(" ") or (found and found[-1][-1].startswith("#"))
        if is_more:
            found[-1].append(line)
        else:
            found.append([line])
    return [Statement.of(each) for each in found]


@dataclass(frozen=True)
class Part:
    """Some statements, as a function.

    Attributes
    ----------
    given, returned : list of str
        Scalars.
    body : list of str
    """

    given: list[str]
    returned: list[str]
    body: list[str]


def divide(lines: Sequence[str]) -> tuple[list[Part], list[str]]:
    """Cut the body of a function into parts, and what is left of it after them."""
    body = statements(lines)
    repeated = {name: each for each in body if each.is_read_only for name in each.makes}
    work = [each for each in body if not each.is_read_only]
    last = [work.pop()] if work[-1].lines[0].startswith("return") else []
    chunks = [_with(repeated, chunk) for chunk in _cut(work)]
    last = _with(repeated, last)
    made: set[str] = set()
    given: list[list[str]] = []
    for chunk in chunks:
        given.append(sorted(_reads(chunk) & made))
        made |= _makes(chunk)
    later = set(_reads(last))
    returned: list[list[str]] = []
    for chunk in reversed(chunks):
        returned.insert(0, sorted(_makes(chunk) & later))
        later |= _reads(chunk)
    found = [Part(*each) for each in zip(given, returned, map(_lines, chunks), strict=True)]
    return found, _lines(last)


def _cut(work: Sequence[Statement]) -> list[list[Statement]]:
    chunks: list[list[Statement]] = []
    size = LENGTH
    for each in work:
        if size >= LENGTH:
            chunks.append([])
            size = 0
        chunks[-1].append(each)
        size += len(each.lines)
    return chunks


def _lines(chunk: Sequence[Statement]) -> list[str]:
    return [line for each in chunk for line in each.lines]


def _with(repeated: Mapping[str, Statement], chunk: Sequence[Statement]) -> list[Statement]:
    """Put what a chunk needs of the repeated statements in front of it."""
    needed: dict[str, Statement] = {}
    stack = sorted(_reads(chunk), reverse=True)
    while stack:
        name = stack[-1]
        missing = (
            []
            if name in needed or name not in repeated
            else sorted(
                each for each in repeated[name].reads & repeated.keys() if each not in needed
            )
        )
        if missing:
            stack += missing
            continue
        stack.pop()
        if name in repeated:
            needed[name] = repeated[name]
    return [*needed.values(), *chunk]


def _reads(chunk: Sequence[Statement]) -> frozenset[str]:
    """Names that statements read before they assign to them."""
    made: set[str] = set()
    reads: set[str] = set()
    for each in chunk:
        reads |= each.reads - made
        made |= each.makes
    return frozenset(reads)


def _makes(chunk: Sequence[Statement]) -> frozenset[str]:
    """Names that statements assign to, those aside that every part makes itself."""
    return frozenset().union(*(each.makes for each in chunk if not each.is_read_only))


def define(name: str, arguments: Sequence[str], part: Part, decorator: Sequence[str]) -> list[str]:
    """Return the lines of a part as a function."""
    returned = _listed("return ", part.returned, "") if part.returned else []
    return [
        *decorator,
        *_listed(f"def {name}(", [*arguments, *part.given], "):"),
        *indented(['"""Part of the next function."""', *part.body, *returned]),
    ]


def call(name: str, arguments: Sequence[str], part: Part) -> list[str]:
    """Return the lines that call a part."""
    if not part.returned:
        return _listed(f"{name}(", [*arguments, *part.given], ")")
    results = _listed("", part.returned, f" = {name}(")
    given = _listed("(", [*arguments, *part.given], ")")
    return [*results[:-1], results[-1][:-1] + given[0], *given[1:]]


def _listed(head: str, names: Sequence[str], tail: str) -> list[str]:
    """Return names between `head` and `tail`, on lines of their own where they are many."""
    line = head + ", ".join(names) + tail
    if len(line) <= _WIDE:
        return [line]
    bracket = "" if head.endswith("(") else "("
    inside = indented(wrap(", ".join(names) + ",", _WIDE - 4))
    return [head + bracket, *inside, (")" if bracket else "") + tail]
