"""The examples of docs/examples are what they claim to be: settings, units, a workflow, commands that parse."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from simrec.cli.main import make_parser
from simrec.settings import check_settings

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
COMMAND = re.compile(r"(?:/opt/simrec/bin/)?simrec ((?:run|status|prune)\b[^>|\n\"]*)")


@pytest.mark.parametrize("path", sorted(EXAMPLES.iterdir()), ids=lambda path: path.name)
def test_commands_in_examples_parse(path: Path) -> None:
    """Each is a command of simrec, with options that there are."""
    parser = make_parser()
    for command in COMMAND.findall(path.read_text(encoding="utf-8")):
        if "`" not in command:
            parser.parse_args(shlex.split(command))


def test_the_settings_can_be_used() -> None:
    """They are read as a workspace's are."""
    values = tomllib.loads((EXAMPLES / "simrec.toml").read_text(encoding="utf-8"))
    found = check_settings(values, "simrec.toml")
    assert found.gate.max_empty == 0.05
    assert found.run.render == {"html": "blocks"}


def test_the_workflow_is_yaml_with_the_steps_that_it_needs() -> None:
    """It runs the job, and looks at the status whatever came of it."""
    found: Any = yaml.safe_load((EXAMPLES / "github-action.yml").read_text(encoding="utf-8"))
    steps = found["jobs"]["blocks"]["steps"]
    runs = [step.get("run", "") for step in steps]
    assert any(run.startswith("simrec run") for run in runs)
    assert next(step for step in steps if step.get("run", "").startswith("simrec status"))["if"] == "always()"
    assert found[True]["schedule"]  # YAML 1.1 reads `on` as true


def test_the_crontab_has_five_fields_and_a_command() -> None:
    """In each line that is no comment."""
    for line in (EXAMPLES / "crontab").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            assert re.fullmatch(r"([\d*/,-]+\s+){5}/opt/simrec/bin/simrec \w+.*", line), line


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """As it says itself, with a command that is there."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd-analyze here")
    for path in EXAMPLES.glob("simrec*.*"):
        if path.suffix in (".service", ".timer"):
            text = path.read_text(encoding="utf-8").replace("/opt/simrec/bin/simrec", "/bin/true")
            (tmp_path / path.name).write_text(text.replace("User=simrec\n", ""), encoding="utf-8")
    units = [str(path) for path in sorted(tmp_path.iterdir())]
    assert len(units) == 4
    found = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    said = [line for line in found.stderr.splitlines() if str(tmp_path) in line]
    assert said == []
