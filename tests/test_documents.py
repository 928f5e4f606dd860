"""What README and guide show runs, every block as a script of its own; what they link to exists."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))]
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
SCRIPTS = {
    f"{page.stem} {place}": text
    for page in PAGES
    for place, (language, text) in enumerate(BLOCK.findall(page.read_text()), 1)
    if language == "python"
}
COMMANDS = [
    line
    for page in PAGES
    for language, text in BLOCK.findall(page.read_text())
    if language == "sh"
    for line in text.splitlines()
    if line
]
LINKED = [
    *(ROOT / name for name in ("ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs" / "decisions").glob("*.md")),
    ROOT / "benchmarks" / "README.md",
    *PAGES,
]


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_python_block_runs_as_a_script(script, tmp_path):
    block = tmp_path / "block.py"
    block.write_text(script)
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", block],
        cwd=tmp_path,
        env=os.environ | {"MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        timeout=240,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.stem)
def test_what_a_page_links_to_is_there(page):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    lost = [link for link in links if "://" not in link and not (page.parent / link).exists()]

    assert not lost


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_exists(line):
    tool, *words = line.split("#")[0].split()
    if tool == "pip":
        return  # what it installs, the suite runs
    if tool == "make":
        probe = ["make", "--dry-run", *words]
    elif tool == "exmc-dask":
        probe = [str(Path(sys.executable).with_name(tool)), words[0], "--help"]
    elif tool in ("docker", "helm", "kubectl"):
        return  # held by tests/helm/test_readme.py
    else:
        assert tool == "python"
        assert (ROOT / words[0]).is_file()
        return

    subprocess.run(probe, cwd=ROOT, check=True, capture_output=True)
