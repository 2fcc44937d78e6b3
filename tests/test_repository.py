"""The repository as a whole: short files, links that lead somewhere, checks that check."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULES = sorted([*(ROOT / "monitor").rglob("*.py"), *(ROOT / "tests").rglob("*.py")])
README = ROOT / "README.md"
FILE_LIMIT = 400
FUNCTION_LIMIT = 60
SKIPS = """
import pytest

def test_that_skips_itself():
    pytest.skip("no camera")

@pytest.mark.skip(reason="no broker")
def test_that_is_skipped(): pass

@pytest.mark.gpu
def test_that_may_skip():
    pytest.skip("no accelerator")

@pytest.mark.xfail
def test_that_is_expected_to_fail():
    raise OSError

def test_that_passes(): pass
"""


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_a_file_can_be_read_in_one_sitting() -> None:
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert MODULES
    assert {file: lines for file, lines in lengths.items() if lines > FILE_LIMIT} == {}


def test_a_function_fits_on_a_screen() -> None:
    lengths = {
        f"{name(path)}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert lengths
    assert {where: lines for where, lines in lengths.items() if lines > FUNCTION_LIMIT} == {}


def test_every_relative_link_of_the_readme_leads_somewhere() -> None:
    text = re.sub(r"(?ms)^```.*?^```", "", README.read_text(encoding="utf-8"))
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    assert targets
    files = [target.partition("#")[0] for target in targets if "://" not in target]
    assert [file for file in files if file and not (ROOT / file).exists()] == []
    headings = {anchor(line) for line in re.findall(r"(?m)^#+ (.*)$", text)}
    assert {target[1:] for target in targets if target.startswith("#")} <= headings


def anchor(heading: str) -> str:
    """A heading's anchor: lower case, punctuation gone, spaces turned into hyphens."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def test_the_readme_shows_an_alert_as_it_is_published() -> None:
    (shown,) = re.findall(r"(?ms)^```json\n(.*?)^```", README.read_text(encoding="utf-8"))
    golden = (ROOT / "tests/golden/alert_v1.json").read_text(encoding="utf-8")
    assert json.loads(shown) == json.loads(golden)


def test_every_log_line_that_the_readme_explains_can_be_logged() -> None:
    section = README.read_text(encoding="utf-8").partition("## Troubleshooting")[2]
    lines = re.findall(r"\*\*`([^`]+)`\*\*", section.partition("\n## ")[0])
    assert len(lines) > 5
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "monitor").rglob("*.py"))
    pieces = [max(line.split("…"), key=len).removeprefix("HOST:PORT").strip(": ") for line in lines]
    assert [piece for piece in pieces if piece not in sources] == []


def test_the_checks_run_the_tests_exactly_as_the_readme_says() -> None:
    commands = re.findall(r"(?m)^python3 -m venv .*pytest$", README.read_text(encoding="utf-8"))
    assert len(commands) == 1
    assert commands[0] in (ROOT / ".ci/run").read_text(encoding="utf-8")


def test_the_wheel_carries_models_and_configurations() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    carried = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert carried.keys() == {"models", "configs"}
    assert [folder for folder in carried if not any((ROOT / folder).iterdir())] == []


def test_the_checks_fail_on_a_skipped_test(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = gpu: needs an accelerator\n")
    (tmp_path / "test_one.py").write_text(SKIPS)
    (tmp_path / "test_two.py").write_text(
        "import pytest\npytest.skip('no module', allow_module_level=True)\n"
    )
    assert "1 passed, 4 skipped, 1 xfailed" in last_line(tmp_path)
    assert "1 failed, 1 passed, 1 skipped, 1 xfailed, 1 error" in last_line(
        tmp_path / "test_one.py", "-p", "tests.support.no_skips"
    )
    assert "1 error" in last_line(tmp_path / "test_two.py", "-p", "tests.support.no_skips")


def last_line(tests: Path, *options: str) -> str:
    """How pytest closes on some tests."""
    command = [sys.executable, "-m", "pytest", *options, str(tests)]
    plain = {**os.environ, "PYTEST_ADDOPTS": ""}
    result = subprocess.run(  # noqa: S603  (our own arguments)
        command, cwd=ROOT, env=plain, capture_output=True, text=True, check=False
    )
    assert (result.returncode != 0) == ("tests.support.no_skips" in options)
    return result.stdout.splitlines()[-1]
