"""The chart's README lists values.yaml, and the schema knows it; ``--update-golden`` writes it.

A line ``# -- text`` in values.yaml says what the key below it is for.
"""

import itertools
import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.helm.chart import CHART, ROOT, refusal

README, VALUES = CHART / "README.md", CHART / "values.yaml"
BEGIN, END = "<!-- values: written by tests/helm/test_readme.py -->", "<!-- end -->"
COMMAND = ".venv/bin/python -m pytest tests/helm/test_readme.py --update-golden"
BLOCKS = re.compile(r"```sh\n(.*?)```", re.DOTALL)
COMMANDS = [
    line
    for path in (README, ROOT / "docs" / "guide" / "running.md")
    for block in BLOCKS.findall(path.read_text())
    for line in block.splitlines()
    if re.match("docker|helm|kubectl", line)
]
SCHEMA = json.loads((CHART / "values.schema.json").read_text())


def comments() -> dict[str, str]:
    """Return what values.yaml says of each key, by path, in the order it stands."""
    found, above, text = {}, list[tuple[int, str]](), ""
    for line in VALUES.read_text().splitlines():
        if said := re.fullmatch(r" *# -- (.+)", line):
            text = said[1]
        elif key := re.match(r"( *)([\w.-]+):", line):
            depth = len(key[1])
            above = [(d, name) for d, name in above if d < depth] + [(depth, key[2])]
            if text:
                found[".".join(name for _, name in above)] = text
            text = ""
    return found


def leaves(values: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Walk over all values that are no mappings, or empty ones."""
    if isinstance(values, dict) and values:
        for name, value in values.items():
            yield from leaves(value, f"{path}.{name}" if path else name)
    else:
        yield path, values


def at(path: str, values: Any) -> Any:
    for name in path.split("."):
        values = values[name]
    return values


def known(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Walk over the keys that the schema names."""
    if "$ref" in schema:
        schema = SCHEMA["definitions"][schema["$ref"].rsplit("/", 1)[-1]]
    if "properties" in schema and schema.get("additionalProperties") is False:
        for name, inner in schema["properties"].items():
            yield from known(inner, f"{path}.{name}" if path else name)
    else:
        yield path


def table() -> str:
    values = yaml.safe_load(VALUES.read_text())
    rows = ["| value | default | |", "| --- | --- | --- |"]
    for path, text in comments().items():
        default = json.dumps(at(path, values)).replace("|", "\\|")
        rows.append(f"| `{path}` | `{default}` | {text} |")
    return "\n".join(rows)


def test_the_readme_lists_the_values(pytestconfig):
    head, rest = README.read_text().split(BEGIN)
    _, tail = rest.split(END)
    text = f"{head}{BEGIN}\n\n{table()}\n\n{END}{tail}"
    if pytestconfig.getoption("--update-golden"):
        README.write_text(text)

    assert text == README.read_text(), f"write it anew: {COMMAND}"


def test_every_value_is_explained():
    said = comments()
    for path, _ in leaves(yaml.safe_load(VALUES.read_text())):
        parts = path.split(".")
        assert any(".".join(parts[: n + 1]) in said for n in range(len(parts))), path


def test_the_schema_knows_the_values_and_no_others():
    given = dict(leaves(yaml.safe_load(VALUES.read_text())))
    for path in set(known(SCHEMA)) - {"global"}:  # which Helm itself hands to every chart
        listed = any(f"{one}.".startswith(f"{path}.") for one in given)
        left_open = any(path.startswith(f"{one}.") for one, value in given.items() if value == {})
        assert listed or left_open, path


def test_a_group_may_change_all_that_its_defaults_have():
    whole = SCHEMA["definitions"]["worker"]["properties"]
    changes = SCHEMA["definitions"]["workerChanges"]["properties"]

    assert whole.keys() == changes.keys()


def test_every_object_of_the_schema_is_closed():
    def walk(schema):
        if isinstance(schema, dict):
            if "properties" in schema and schema.get("type") == "object":
                assert "additionalProperties" in schema, schema
            for inner in schema.values():
                walk(inner)

    walk(SCHEMA)


def test_the_chart_is_of_this_version():
    import exmc_dask

    described = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert described["version"] == described["appVersion"] == exmc_dask.__version__


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_readmes_can_be_given(line):
    tool, *words = shlex.split(line)
    if tool == "docker" and words[0] == "build":
        stages = re.findall(r"^FROM .+ AS ([a-z-]+)$", (ROOT / words[2]).read_text(), re.MULTILINE)
        assert words[words.index("--target") + 1] in stages
    elif tool == "helm" and words[0] != "test":
        assert words[2] == "helm/exmc-dask"
        assert not refusal(told(words))
    elif tool == "kubectl" and words[0] == "port-forward":
        assert words[1:] == ["service/exmc-dask-scheduler", "8786", "8787"]


def told(words: list[str]) -> dict[str, Any]:
    """Return the values that --set and --set-file say."""
    values: dict[str, Any] = {}
    for option, said in itertools.pairwise(words):
        if option in ("--set", "--set-file"):
            path, value = said.split("=")
            *parents, name = (part.replace("\\", "") for part in re.split(r"(?<!\\)\.", path))
            inner = values
            for parent in parents:
                inner = inner.setdefault(parent, {})
            inner[name] = yaml.safe_load(value)
    return values
