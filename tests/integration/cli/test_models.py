"""``monitor models``: what there is, fetching it from a hub on loopback, and trying it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from monitor.errors import ConfigError
from monitor.judge.local.model_registry import (
    PINS,
    pull_model,
    read_catalogue,
    verify_pins,
    write_pins,
)
from tests.support.hub_server import COMMIT, REPOSITORY, hub
from tests.support.tiny_models import idefics

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.timeout(600)  # each command loads a model's libraries


def monitor(*words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The real command, in a process of its own."""
    return subprocess.run(  # noqa: S603  (our own program)
        [sys.executable, "-m", "monitor", "models", *words],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "0", **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small chat model, with things beside it that nobody should fetch."""
    folder = idefics(tmp_path_factory.mktemp("hub"))
    (folder / "modeling_own.py").write_text("raise SystemExit")
    (folder / "weights.bin").write_bytes(b"pickle")
    return folder


def test_the_list_names_licence_size_purpose_and_pin() -> None:
    shown = monitor("list").stdout
    assert "embedded" in shown
    assert "SHA256SUMS" in shown
    for name, entry in read_catalogue().items():
        (line,) = [line for line in shown.splitlines() if line.split()[:1] == [name]]
        assert entry.licence in line
        assert entry.purpose in line
        assert str(entry.size_mb) in line
        assert entry.repository is None or (entry.revision or "unpinned") in line


@pytest.mark.parametrize("folder", ["judge", "detector"])
def test_what_comes_with_the_program_is_what_is_written_down(folder: str) -> None:
    """After new weights: monitor models pin models/judge (or models/detector)."""
    assert verify_pins(ROOT / "models" / folder)


@pytest.mark.slow
def test_a_model_is_fetched_checked_and_its_changes_noticed(
    repository: Path, tmp_path: Path
) -> None:
    with hub(repository) as server:
        pulled = monitor("pull", REPOSITORY, "--to", str(tmp_path), env={"HF_ENDPOINT": server.url})
        fetched = set(server.fetched)
    assert pulled.returncode == 0, pulled.stderr
    assert f"revision {COMMIT} (unpinned" in pulled.stdout
    assert "model.safetensors" in fetched
    assert not fetched & {"modeling_own.py", "weights.bin"}
    folder = tmp_path / "judge"
    assert json.loads((folder / "pulled.json").read_text())["revision"] == COMMIT
    checked = monitor("check", str(folder))
    assert checked.returncode == 0, checked.stderr
    assert "files as they came" in checked.stdout
    with (folder / "config.json").open("a") as file:
        file.write(" ")
    changed = monitor("check", str(folder))
    assert changed.returncode == 78
    assert "config.json: not what it was; fetch the model again" in changed.stderr


@pytest.mark.slow
def test_a_judge_is_exported_and_pinned_again(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ROOT / "models" / "judge", tmp_path / "judge"))
    shutil.rmtree(folder / "openvino")
    exported = monitor("export", str(folder))
    assert exported.returncode == 0, exported.stderr
    assert f"{folder / 'openvino' / 'judge.xml'}\n" in exported.stdout
    shipped = (ROOT / "models" / "judge" / "openvino" / "judge.bin").stat().st_size
    assert (folder / "openvino" / "judge.bin").stat().st_size == shipped
    assert verify_pins(folder) == 9


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../etc", "../etc: not in the catalogue"),
        ("a/..", "a/..: not in the catalogue"),
        ("/etc", "/etc: not in the catalogue"),
        ("a/b/c", "a/b/c: not in the catalogue"),
        ("nonsense", "nonsense: not in the catalogue"),
        ("embedded", "embedded: comes with the program"),
    ],
)
def test_what_is_no_name_is_refused_before_anybody_is_asked(
    tmp_path: Path, name: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        pull_model(name, tmp_path, None)


def test_what_the_hub_has_not_is_one_line(repository: Path, tmp_path: Path) -> None:
    with hub(repository) as server:
        refused = monitor("pull", "no/such", "--to", str(tmp_path), env={"HF_ENDPOINT": server.url})
    assert refused.returncode == 78
    assert "no/such: refused" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_hub_that_is_away_is_one_line(tmp_path: Path) -> None:
    away = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    refused = monitor("pull", REPOSITORY, "--to", str(tmp_path), env=away)
    assert refused.returncode == 78
    assert len(refused.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "pins", ["nonsense", "abc  ../../etc/passwd", "abc  missing.json", "\0  \0"]
)
def test_pins_that_are_none_are_named(tmp_path: Path, pins: str) -> None:
    (tmp_path / PINS).write_text(pins)
    with pytest.raises(ConfigError, match="fetch"):
        verify_pins(tmp_path)


def test_pinning_nothing_is_refused(tmp_path: Path) -> None:
    assert verify_pins(tmp_path) is None
    with pytest.raises(ConfigError, match="no files there"):
        write_pins(tmp_path)
