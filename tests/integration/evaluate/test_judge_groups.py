"""Which crops are measured, how they are grouped, and the pictures of the figures."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from monitor.domain import Covering, HeadCrop, JudgeName, Timings, Verdict
from monitor.errors import ConfigError, OutputError
from monitor.evaluate.charts import draw_confusion, draw_reliability, write_charts
from monitor.evaluate.judge import evaluate_judge
from monitor.evaluate.judge_calibration import fit_abstain_limit, fit_factor, fit_factors
from monitor.evaluate.judge_report import JudgeReport, Prediction
from monitor.evaluate.judge_rows import RowFilter
from monitor.judge.local.embedded_judge import EmbeddedJudge
from monitor.judge.profile import FILE, read_profile, store_abstain_limits, store_temperatures
from monitor.runtime.clock import SystemClock
from tests.support.crops import crops

ROWS = [  # grey level, side, split, label, source, group
    (230, 100, "dev", "none", "attic", "age=26;sex=f"),
    (230, 30, "dev", "none", "attic", "age=61;sex=m"),
    (20, 30, "dev", "none", "cellar", "age=8;sex=m"),
    (20, 60, "dev", "mask", "cellar", ""),
    (20, 60, "train", "mask", "attic", ""),
]


class DarkJudge:
    """A Judge that takes dark crops for balaclavas; the smaller a crop, the surer it is."""

    name = JudgeName("dark", "1")

    def __init__(self) -> None:
        self.sides: list[int] = []

    def judge(self, crops: Sequence[HeadCrop]) -> list[Verdict]:
        return [self._verdict(crop) for crop in crops]

    def explain(self, crop: HeadCrop) -> str:
        return f"{crop.pixels.mean():.0f}"

    def _verdict(self, crop: HeadCrop) -> Verdict:
        self.sides.append(crop.pixels.shape[0])
        sure = 0.999 if crop.pixels.shape[0] <= 20 else 0.8
        dark = crop.pixels.mean() < 128
        shares = {
            Covering.BALACLAVA: sure if dark else 1 - sure,
            Covering.NONE: 1 - sure if dark else sure,
        }
        where = crop.camera, crop.subject, crop.moment
        return Verdict(*where, shares, 0.0, "", self.name, Timings())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = ["file,split,label,source,group"]
    for number, (grey, side, *rest) in enumerate(ROWS):
        pixels = np.full((side, side, 3), grey, np.uint8)
        pixels[..., 0] += 20 * (number == 0)  # one picture has a colour
        cv2.imwrite(str(tmp_path / f"{number}.png"), pixels)
        lines.append(",".join([f"{number}.png", *rest]))
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def test_only_the_split_and_sources_asked_for_are_shown(folder: Path) -> None:
    report = evaluate_judge(folder, DarkJudge(), RowFilter(split="dev", sources=("attic",)))
    assert [p.file for p in report.predictions] == ["0.png", "1.png"]
    assert len(evaluate_judge(folder, DarkJudge()).predictions) == len(ROWS)


def test_crops_are_reduced_before_they_are_judged(folder: Path) -> None:
    judge = DarkJudge()
    evaluate_judge(folder, judge, RowFilter(reduce_px=16))
    assert set(judge.sides) == {16}


def test_figures_are_grouped_by_columns_and_by_what_the_pictures_are(folder: Path) -> None:
    by = ("source", "group", "crop_px", "colour")
    report = evaluate_judge(folder, DarkJudge(), RowFilter(split="dev", by=by))
    read = json.loads(report.to_json())["by"]
    assert read["source"]["attic"]["right"]["share"] == 1
    alarms = read["source"]["cellar"]["false_alarms"]
    assert (alarms["n"], alarms["hits"], alarms["share"]) == (1, 1, 1)
    assert alarms["wilson"] == pytest.approx([0.2065, 1], abs=1e-3)
    assert list(read["age"]) == ["0 to 12", "20 to 39", "60 and more"]
    assert read["sex"]["m"]["right"]["hits"] == 1
    assert list(read["crop_px"]) == ["20 to 31", "48 to 95", "96 and more"]
    assert read["colour"]["colour"]["right"]["n"] == 1
    assert read["colour"]["grey"]["right"]["n"] == 3


def test_a_grouping_that_is_no_column_is_named(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"labels\.csv: no column shoes"):
        evaluate_judge(folder, DarkJudge(), RowFilter(by=("shoes",)))


def test_a_source_without_rows_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="no row of that split and source"):
        evaluate_judge(folder, DarkJudge(), RowFilter(sources=("garden",)))


def test_only_answers_that_claim_to_see_a_face_are_confidently_wrong() -> None:
    wrong = Prediction("a", "none", "mask", 0.9, 0.0)
    spoilt = Prediction("b", "none", "unusable", 0.9, 0.0, evaluable=False)
    right = Prediction("c", "mask", "mask", 0.9, 0.0)
    assert JudgeReport("any", "1", (wrong, spoilt, right)).confidently_wrong == 1


def test_each_level_of_certainty_says_how_often_it_was_right() -> None:
    sure = [Prediction("a", "none", "none", 0.02, 0.0)] * 3
    unsure = [Prediction("b", "mask", "none", 0.45, 0.0)] * 2
    low, high = JudgeReport("any", "1", (*sure, *unsure)).reliability
    assert low.certainty == pytest.approx(0.55)
    assert [low.count, low.right] == [2, 0]
    assert [high.count, high.right, high.low] == [3, 1, 0.9]


def test_the_diagrams_show_what_the_report_says(folder: Path, tmp_path: Path) -> None:
    report = evaluate_judge(folder, DarkJudge(), RowFilter(split="dev"))
    paths = write_charts(report, tmp_path / "plots")
    assert [path.name for path in paths] == ["reliability.png", "confusion.png"]
    assert all(cv2.imread(str(path)) is not None for path in paths)
    (axes,) = draw_reliability(report).axes
    dots = np.concatenate([np.asarray(dot.get_offsets()) for dot in axes.collections[1::2]])
    assert dots.tolist() == [[level.certainty, level.right] for level in report.reliability]
    assert [note.get_text() for note in axes.texts] == ["n 4"]
    (axes,) = draw_confusion(report).axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["none (3)", "mask (1)"]
    assert sorted(text.get_text() for text in axes.texts) == ["1", "1", "2"]


def test_a_report_of_nothing_has_empty_diagrams(tmp_path: Path) -> None:
    nothing = JudgeReport("dark", "1", ())
    assert all(path.exists() for path in write_charts(nothing, tmp_path))
    assert not draw_reliability(nothing).axes[0].texts


def test_a_folder_that_cannot_be_written_is_named(folder: Path) -> None:
    with pytest.raises(OutputError, match="name another folder"):
        write_charts(evaluate_judge(folder, DarkJudge()), folder / "labels.csv")


def test_a_judge_that_is_too_sure_is_cooled_where_it_is() -> None:
    judge = DarkJudge()
    crops = [_crop(20, 10)] * 10
    verdicts = judge.judge(crops)
    too_sure = fit_factor(verdicts, np.array([True] * 8 + [False] * 2))
    just_so = fit_factor(judge.judge([_crop(20, 50)] * 10), np.array([True] * 8 + [False] * 2))
    assert too_sure > 3
    assert just_so == pytest.approx(1, abs=0.05)


def test_too_few_crops_of_a_size_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="1 crops of 90 px or more; give 20"):
        fit_factors(folder, DarkJudge(), [90], RowFilter())


def test_temperatures_are_stored_and_used_by_size(tmp_path: Path) -> None:
    given = Path(__file__).parents[3] / "models" / "judge" / FILE
    raw = json.loads(given.read_text(encoding="utf-8")) | {"temperature": 2.0, "temperatures": {}}
    (tmp_path / FILE).write_text(json.dumps(raw | {"note": "kept"}), encoding="utf-8")
    assert store_temperatures(tmp_path, {20: 2.0, 96: 0.5, 32: 1.5}) == {20: 4, 96: 1, 32: 3}
    profile = read_profile(tmp_path)
    assert [profile.get_temperature(side) for side in (12, 20, 21, 32, 33, 500)] == [
        4,
        4,
        3,
        3,
        1,
        1,
    ]
    again = store_temperatures(tmp_path, {20: 0.5})
    assert again == {20: 2}
    assert json.loads((tmp_path / FILE).read_text(encoding="utf-8"))["note"] == "kept"


def test_a_judge_may_be_as_unsure_as_it_is_right() -> None:
    judge = DarkJudge()
    right = judge.judge([_crop(20, 20)] * 90)  # with a doubt of 0.001
    wrong = judge.judge([_crop(20, 50)] * 10)  # with 0.2
    hidden = np.array([True] * 90 + [False] * 10)
    assert fit_abstain_limit([*right, *wrong], hidden) == pytest.approx(0.199)
    assert fit_abstain_limit(right + wrong[:1], hidden[:91]) is None
    assert fit_abstain_limit(right, ~hidden[:90]) == 0.001


@pytest.mark.slow
def test_what_a_judge_is_unsure_of_is_unusable_at_that_size_only(tmp_path: Path) -> None:
    shutil.copytree(Path(__file__).parents[3] / "models" / "judge", tmp_path, dirs_exist_ok=True)
    small, large = _crop(128, 20), _crop(128, 21)
    store_abstain_limits(tmp_path, {})
    sure = EmbeddedJudge(tmp_path, clock=SystemClock()).judge([small, large])
    store_abstain_limits(tmp_path, {20: 0.001})
    unsure = EmbeddedJudge(tmp_path, clock=SystemClock()).judge([small, large])
    assert unsure[0].unusable > max(0.5, sure[0].unusable)
    assert unsure[0].occluded == pytest.approx(sure[0].occluded)
    assert not unsure[0].evaluable
    assert unsure[1].probabilities == sure[1].probabilities


def test_a_folder_that_brought_no_profile_gets_one_with_its_temperatures(tmp_path: Path) -> None:
    assert store_temperatures(tmp_path, {20: 1.5}) == {20: 1.5}
    assert json.loads((tmp_path / FILE).read_text(encoding="utf-8"))["temperature"] == 1.5


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        store_temperatures(tmp_path / "nowhere", {20: 1.0})


def _crop(grey: int, side: int) -> HeadCrop:
    (given,) = crops(1)
    pixels = np.full((side, side, 3), grey, np.uint8)
    return HeadCrop(given.camera, given.subject, given.moment, pixels, 20.0)
