"""The repository as a whole: short files, links that lead somewhere, checks that check."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted([*(ROOT / "monitor").rglob("*.py"), *(ROOT / "tests").rglob("*.py")])
README = ROOT / "README.md"
FOLDERS = [".github", "configs", "models", "monitor", "systemd", "tests"]
DOCUMENTS = [README, *sorted(path for name in FOLDERS for path in (ROOT / name).rglob("*.md"))]
FILE_LIMIT = 400
FUNCTION_LIMIT = 60
SCRIPTS = sorted(path for path in (ROOT / ".ci").iterdir() if not path.suffix)
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


def prose(document: Path) -> str:
    """A document without its blocks of code."""
    return re.sub(r"(?ms)^```.*?^```", "", document.read_text(encoding="utf-8"))


def links(document: Path) -> list[tuple[Path, str]]:
    """The files and headings that a document's relative links lead to."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(document))
    parts = [target.partition("#") for target in targets if "://" not in target]
    return [((document.parent / file if file else document).resolve(), h) for file, _, h in parts]


def anchors(document: Path) -> set[str]:
    """The anchors of headings: lower case, no punctuation, hyphens for spaces."""
    headings = re.findall(r"(?m)^#+ (.*)$", prose(document))
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_relative_link_of_a_document_leads_somewhere(document: Path) -> None:
    assert [path for path, _ in links(document) if not path.exists()] == []
    wanted = [(path, heading) for path, heading in links(document) if heading]
    assert [heading for path, heading in wanted if heading not in anchors(path)] == []


def test_the_readme_links_to_every_document() -> None:
    assert set(DOCUMENTS) - {README} <= {path for path, _ in links(README)}


def test_the_map_of_the_code_names_what_is_there() -> None:
    text = (ROOT / "monitor/README.md").read_text(encoding="utf-8")
    (drawn,) = re.findall(r"(?ms)^```text\nmonitor/\n(.*?)^```", text)
    entries = dict(re.findall(r"(?m)^  (\S+) +(.*)$", drawn))
    there = [path for path in (ROOT / "monitor").iterdir() if list(path.glob("*.py"))]
    files = {path.name for path in (ROOT / "monitor").glob("*.py")} - {"__init__.py"}
    assert entries.keys() == files | {f"{path.name}/" for path in there}
    inner = [(outer, part) for outer, about in entries.items() for part in about.split()]
    inner = [(outer, part.rstrip(",")) for outer, part in inner if part.rstrip(",").endswith("/")]
    assert len(inner) > 10
    assert [part for outer, part in inner if not (ROOT / "monitor" / outer / part).is_dir()] == []


def test_the_table_of_tests_names_what_is_there() -> None:
    text = (ROOT / "tests/README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?m)^\| `([\w.]+/?)` \|", text))
    folders = {f"{path.name}/" for path in (ROOT / "tests").iterdir() if list(path.rglob("*.py"))}
    assert named == folders | {path.name for path in (ROOT / "tests").glob("test_*.py")}


def test_an_alert_is_shown_as_it_is_published() -> None:
    text = (ROOT / "configs/mqtt/README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"(?ms)^```json\n(.*?)^```", text)
    golden = (ROOT / "tests/golden/alert_v1.json").read_text(encoding="utf-8")
    assert json.loads(shown) == json.loads(golden)


def test_every_log_line_that_is_explained_can_be_logged() -> None:
    texts = {document: document.read_text(encoding="utf-8") for document in DOCUMENTS}
    lines = re.findall(r"\*\*`([^`]+)`\*\*", "\n".join(texts.values()))
    assert len(re.findall(r"\*\*`", texts[ROOT / "systemd/README.md"])) > 15
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "monitor").rglob("*.py"))
    pieces = [max(line.split("…"), key=len).removeprefix("HOST:PORT").strip(": ") for line in lines]
    assert [piece for piece in pieces if piece not in sources] == []


def test_the_checks_run_the_tests_exactly_as_the_readme_says() -> None:
    demo, tests = re.findall(r"(?m)^bash \.ci/.*$", README.read_text(encoding="utf-8"))
    assert demo.endswith(".venv/bin/monitor demo")
    assert tests in (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    assert "run: bash .ci/run" in (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize("script", SCRIPTS, ids=name)
def test_a_script_of_the_checks_can_be_read_by_bash(script: Path) -> None:
    result = subprocess.run(["bash", "-n", script], capture_output=True, check=False)  # noqa: S603, S607
    assert result.returncode == 0
    assert "set -euo pipefail" in script.read_text(encoding="utf-8")


def test_the_wheel_carries_models_and_configurations() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    carried = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert carried.keys() == {"models", "configs"}
    assert [folder for folder in carried if not any((ROOT / folder).iterdir())] == []


@pytest.mark.slow
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
    workers = ("-n", "2", "--dist", "loadfile")
    assert "1 failed, 1 passed, 1 skipped, 1 xfailed, 2 errors" in last_line(
        tmp_path, "-p", "tests.support.no_skips", *workers
    )


def last_line(tests: Path, *options: str) -> str:
    """How pytest closes on some tests."""
    command = [sys.executable, "-m", "pytest", *options, str(tests)]
    plain = {**os.environ, "PYTEST_ADDOPTS": ""}
    result = subprocess.run(  # noqa: S603  (our own arguments)
        command, cwd=ROOT, env=plain, capture_output=True, text=True, check=False
    )
    assert (result.returncode != 0) == ("tests.support.no_skips" in options)
    return result.stdout.splitlines()[-1]
