"""Every block of the README does what it says, in a folder of its own, in the order it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
SCRIPTS = [text for language, text in BLOCKS if language == "python"]
COMMANDS = [
    line for language, text in BLOCKS if language == "sh" for line in text.splitlines() if line
]


@pytest.mark.parametrize("place", range(len(SCRIPTS)), ids=lambda i: f"block {i + 1}")
def test_a_python_block_runs_as_a_script(place, tmp_path):
    script = tmp_path / "block.py"
    script.write_text(SCRIPTS[place])
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", script],
        cwd=tmp_path,
        env=os.environ | {"MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        timeout=240,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_exists(line):
    tool, *words = line.split("#")[0].split()
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
