"""Training runs of a few steps: what they leave, and how they go on."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch  # noqa: TID253  (training is torch)

from monitor.cli.evaluate import thresholds
from monitor.config.load import load_section
from monitor.detect.yolo import Yolo
from monitor.domain import Kind
from monitor.errors import ConfigError
from monitor.ingest.frames.picture import ArrayPicture
from monitor.runtime.resources import find_bundled
from monitor.train.detector.model import build, load_weights, read_checkpoint
from monitor.train.detector.profile import read_profile, write_profile
from monitor.train.detector.settings import Phase, TrainDetectorConfig
from monitor.train.detector.train import _rate, train
from tests.support.detector_scenes import make_config, save_model, street, write_scenes
from tests.support.fakes import frame


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder)
    return folder


@pytest.fixture(scope="module")
def trained(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a run of two steps left; not to be changed."""
    out: Path = tmp_path_factory.mktemp("run") / "out"
    assert train(make_config(scenes, out)) == out / "monitor-detector.xml"
    return out


def read_average(out: Path) -> dict[str, torch.Tensor]:
    """The averaged weights in the state of a run."""
    state: dict[str, Any] = torch.load(out / "state.pt", weights_only=True)
    average: dict[str, torch.Tensor] = state["average"]
    return average


def test_the_learning_rate_rises_at_once_and_falls_to_almost_nothing() -> None:
    rates = [_rate(done) for done in (0.0, 0.03, 0.5, 1.0)]
    assert rates[0] < 0.1
    assert rates[1] == pytest.approx(1.0, abs=0.01)
    assert 0.4 < rates[2] < 0.6
    assert rates[3] == pytest.approx(0.01)


def test_phases_follow_one_another(tmp_path: Path) -> None:
    phases = (Phase(until=0.5, input_px=64), Phase(until=1, input_px=96))
    made = make_config(tmp_path, tmp_path, phases=phases)
    assert [phase.input_px for phase in made.phases] == [64, 96]


def test_the_settings_of_the_shipped_weights_are_valid() -> None:
    shipped = load_section(find_bundled("configs") / "train-detector.yaml", TrainDetectorConfig, {})
    assert shipped.int8
    assert all(not source.folder.is_absolute() for source in shipped.sources)


@pytest.mark.slow
def test_a_run_leaves_what_the_program_runs(trained: Path) -> None:
    files = {path.name: path.stat().st_size for path in trained.iterdir()}
    weights = {f"monitor-detector.{end}" for end in ("pt", "xml", "bin")}
    assert files.keys() == {"state.pt", "detector.json", *weights}
    assert files["monitor-detector.pt"] < 6_000_000
    profile = json.loads((trained / "detector.json").read_text())
    assert profile["weights"] == "monitor-detector.xml"
    assert (profile["version"], profile["input_px"]) == ("1", 64)
    scores = dict.fromkeys(Kind, 0.0)
    picture = frame(0, ArrayPicture(street(1)))
    found = [
        Yolo(trained / f"monitor-detector.{end}", input_px=64, min_scores=scores).detect([picture])
        for end in ("xml", "pt")
    ]
    assert {one.kind for one in found[0][0]} == set(Kind)
    assert len(found[0][0]) == len(found[1][0])


@pytest.mark.slow
def test_the_checkpoint_knows_its_classes_and_is_one_to_go_on_from(trained: Path) -> None:
    checkpoint = trained / "monitor-detector.pt"
    known = read_checkpoint(checkpoint)
    assert known.names == {0: "person", 1: "head"}
    model = build(seed=9)
    load_weights(model, checkpoint)
    given = known.state_dict()
    assert all(torch.equal(tensor, given[name]) for name, tensor in model.state_dict().items())


@pytest.mark.slow
@pytest.mark.timeout(600)  # a minute alone on a core
def test_a_second_run_goes_on_where_the_first_stopped_and_may_export_in_int8(
    scenes: Path, trained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    out = tmp_path / "out"
    shutil.copytree(trained, out)
    train(make_config(scenes, out, pictures=8, int8=True))
    assert "resuming after 4 pictures" in caplog.text
    drawn, steps, _ = torch.load(out / "state.pt", weights_only=True)["progress"]
    assert (drawn, steps) == (8, 4)
    sizes = [(folder / "monitor-detector.bin").stat().st_size for folder in (trained, out)]
    assert sizes[1] < 0.4 * sizes[0]
    before, after = read_average(trained), read_average(out)
    assert any(not torch.equal(before[name], after[name]) for name in before)


@pytest.mark.slow
def test_the_same_seed_trains_the_same_weights(scenes: Path, trained: Path, tmp_path: Path) -> None:
    train(make_config(scenes, tmp_path / "out"))
    one, other = read_average(trained), read_average(tmp_path / "out")
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_a_run_from_another_ones_weights_ends_in_time_and_keeps_frozen_layers(
    scenes: Path, trained: Path, tmp_path: Path
) -> None:
    start = trained / "monitor-detector.pt"
    train(
        make_config(
            scenes,
            tmp_path / "out",
            start=str(start),
            frozen=10,
            pictures=10**9,
            time_limit_s=3.0,
        )
    )
    given, average = read_checkpoint(start).state_dict(), read_average(tmp_path / "out")
    same = {name: torch.equal(given[name], tensor) for name, tensor in average.items()}
    frozen = {name for name in same if int(name.split(".")[1]) < 10}
    assert all(same[name] for name in frozen)
    assert not all(same[name] for name in same.keys() - frozen)


def test_a_pose_model_lends_what_it_shares_and_its_person(tmp_path: Path) -> None:
    path = save_model(tmp_path / "pose.pt", poses=True)
    given = read_checkpoint(path).state_dict()
    model = build(seed=2)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    load_weights(model, path)
    after = model.state_dict()
    assert torch.equal(after["model.0.conv.weight"], given["model.0.conv.weight"])
    last = "model.23.cv3.0.2.bias"
    assert torch.equal(after[last][0], given[last][0]), "person"
    assert torch.equal(after[last][1], before[last][1]), "head stays as it was built"


def test_weights_of_another_layout_are_refused(tmp_path: Path) -> None:
    small = build(seed=0)
    small.model = small.model[:5]
    torch.save({"model": small.half(), "ema": None, "train_args": {}}, tmp_path / "small.pt")
    with pytest.raises(ConfigError, match=r"small\.pt: of another layout than yolo11n"):
        load_weights(build(seed=0), tmp_path / "small.pt")
    with pytest.raises(ConfigError, match=r"missing\.pt: no such file"):
        load_weights(build(seed=0), tmp_path / "missing.pt")


def test_the_profile_says_what_the_program_reads(tmp_path: Path) -> None:
    scores = {Kind.PERSON: 0.35, Kind.HEAD: 0.3}
    path = write_profile(tmp_path / "a.xml", scores, input_px=416, version="7")
    assert json.loads(path.read_text()) == {
        "name": "a",
        "version": "7",
        "weights": "a.xml",
        "input_px": 416,
        "min_scores": {"person": 0.35, "head": 0.3},
    }
    assert read_profile(tmp_path / "a.xml") == ("7", 416)
    path.write_text("{}")
    with pytest.raises(ConfigError, match=r"detector\.json: not a detector's profile"):
        read_profile(tmp_path / "a.xml")


def test_thresholds_want_a_version_and_a_size_where_no_profile_says_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no detector\.json beside; give --version"):
        thresholds(tmp_path, tmp_path / "a.xml")
