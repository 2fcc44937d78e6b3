"""Model folders that cannot be used, and passes that fail: what the operator is told."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.domain import ANSWERS
from monitor.errors import ConfigError, JudgeUnavailableError
from monitor.judge.local.load import map_load_errors
from monitor.judge.local.local_judge import LocalJudge
from tests.support import tiny_models
from tests.support.crops import SteppingClock, crops, forward_passes

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def florence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.florence(tmp_path_factory.mktemp("florence"))


@pytest.fixture(scope="module")
def idefics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.idefics(tmp_path_factory.mktemp("idefics"))


def refusal(folder: Path, device: str = "cpu") -> str:
    """What the operator reads when a judge is made from a folder; always one line."""
    with pytest.raises(ConfigError) as caught:
        LocalJudge(folder, clock=SteppingClock(), device=device).warm_up()
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    assert len(text.replace(str(folder), "")) < 300
    return text


def edited(folder: Path, file: str, **changes: object) -> None:
    """Replaces some keys of a JSON file."""
    content = json.loads((folder / file).read_text(encoding="utf-8"))
    (folder / file).write_text(json.dumps(content | changes), encoding="utf-8")


def nested(folder: Path, section: str, **changes: object) -> None:
    """Replaces some keys of a section of config.json."""
    content = json.loads((folder / "config.json").read_text(encoding="utf-8"))[section]
    edited(folder, "config.json", **{section: content | changes})


def to_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def cut_short(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:2000])


def newer_tokeniser(folder: Path) -> None:
    edited(folder, "tokenizer.json", model={"type": "Newer"})


def same_answers(folder: Path) -> None:
    tiny_models.write_profile(folder, answers=dict.fromkeys(ANSWERS, "mask"))


def wordy_answer(folder: Path) -> None:
    words = {answer: answer for answer in ANSWERS}
    tiny_models.write_profile(folder, answers=words | {"away": "the face"})


def unknown_answer(folder: Path) -> None:
    words = {answer: answer for answer in ANSWERS}
    tiny_models.write_profile(folder, answers=words | {"away": "zebra"})


MISTAKES: list[tuple[Callable[[Path], object], str, str]] = [
    (lambda f: (f / "config.json").unlink(), "no config.json", "point the judge at"),
    (to_pickle, "no weights", "fetch the model's *.safetensors"),
    (cut_short, "cannot load the judge", "fetch it again"),
    (lambda f: (f / "config.json").write_text("{"), "config.json: not JSON", "fetch it again"),
    (lambda f: (f / "config.json").write_bytes(b"\xff"), "config.json: not JSON", "fetch it"),
    (lambda f: (f / "config.json").write_text("[]"), "model type None", "take another model"),
    (lambda f: (f / "tokenizer.json").write_text("{"), "tokenizer.json: not JSON", "fetch it"),
    (lambda f: (f / "tokenizer.json").unlink(), "cannot load the judge", "fetch it again"),
    (newer_tokeniser, "did not match any variant", "fetch it again"),
    (lambda f: (f / "processor_config.json").unlink(), "image processor", "fetch it again"),
    (lambda f: edited(f, "config.json", model_type="foo"), "'foo' is unknown", "take another"),
    (lambda f: edited(f, "config.json", text_config=5), "text_config", "fetch it again"),
    (lambda f: nested(f, "text_config", encoder_layers=2), "weights are missing", "fetch the"),
    (lambda f: nested(f, "text_config", encoder_ffn_dim=64), "weights do not fit", "fetch the"),
    (lambda f: (f / "monitor.json").write_text("{"), "monitor.json: not JSON", "mend"),
    (lambda f: (f / "monitor.json").unlink(), "no chat template", "add one, or a monitor.json"),
    (lambda f: tiny_models.write_profile(f, decoder="causal"), "decoder is causal", "mend it"),
    (lambda f: tiny_models.write_profile(f, crop_px=0), "crop_px", "mend or remove"),
    (same_answers, "two answers are the same token", "name other answers in monitor.json"),
    (wordy_answer, "'the face' is not one token", "name other answers in monitor.json"),
    (unknown_answer, "'zebra' is not one token", "name other answers in monitor.json"),
]


@pytest.mark.parametrize(("spoil", "thing", "mend"), MISTAKES, ids=[m[1] for m in MISTAKES])
def test_a_broken_folder_is_one_line_that_names_it_and_the_mend(
    spoil: Callable[[Path], object], thing: str, mend: str, florence: Path, tmp_path: Path
) -> None:
    folder = tiny_models.copied(florence, tmp_path / "model")
    spoil(folder)
    told = refusal(folder)
    assert str(folder) in told
    assert thing in told
    assert mend in told


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{% if %}", "cannot load the judge: Expected an expression"),
        ("{{ raise_exception('no pictures here') }}", "cannot load the judge: no pictures here"),
        ("{{ messages[0]['role'] }}", "cannot judge a test picture"),
    ],
)
def test_a_chat_template_that_cannot_take_a_picture_is_refused(
    template: str, told: str, idefics: Path, tmp_path: Path
) -> None:
    folder = tiny_models.copied(idefics, tmp_path / "model")
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    assert refusal(folder).startswith(f"{folder}: {told}")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    told = refusal(tmp_path / "judge")
    assert told == f"{tmp_path / 'judge'}: no such folder; point the judge at a model's folder"


def test_a_model_that_reads_no_pictures_is_refused(tmp_path: Path) -> None:
    told = refusal(tiny_models.text_only(tmp_path / "llama"))
    assert "model type 'llama' does not answer questions about pictures" in told


@pytest.mark.parametrize("device", ["abacus", "mps", "xla:99"])
def test_a_device_that_is_not_there_is_named(device: str, florence: Path) -> None:
    told = refusal(florence, device)
    assert told.startswith(f"judge device {device!r}: ")
    assert "set it to cpu" in told


def test_a_library_that_a_model_needs_and_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught, map_load_errors(tmp_path):
        raise ImportError("Package `num2words` is required to run it. Install it\nwith pip.")
    assert str(caught.value) == (
        f"{tmp_path}: cannot load the judge: Package `num2words` is required to run it; "
        "install what it needs"
    )


@pytest.mark.parametrize("kind", ["florence2", "homemade"])
def test_code_that_comes_with_a_model_is_never_run(
    kind: str, florence: Path, tmp_path: Path
) -> None:
    folder = tiny_models.copied(florence, tmp_path / "model")
    trace = tmp_path / "trace"
    code = f"open({str(trace)!r}, 'w').close()\nclass Mine: pass\n"
    (folder / "mine.py").write_text(code, encoding="utf-8")
    names = ("AutoConfig", "AutoModelForImageTextToText", "AutoProcessor")
    own = dict.fromkeys(names, "mine.Mine")
    edited(folder, "config.json", model_type=kind, auto_map=own)
    edited(folder, "processor_config.json", auto_map=own)
    if kind == "florence2":
        assert len(LocalJudge(folder, clock=SteppingClock()).judge(crops(1))) == 1
    else:
        assert "a model's own code is never run" in refusal(folder)
    assert not trace.exists()


WATCHED = """
import sys
from pathlib import Path

calls = []
network = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}
sys.addaudithook(lambda event, args: calls.append((event, args)) if event in network else None)

from monitor.judge.local.load import map_load_errors
from monitor.judge.local.local_judge import LocalJudge
from tests.support.crops import SteppingClock, crops

for folder in sys.argv[1:]:
    judge = LocalJudge(Path(folder), clock=SteppingClock())
    judge.warm_up()
    judge.judge(crops(2))
    judge.explain(crops(1)[0])
print(calls)
"""


@pytest.mark.slow
def test_nothing_is_asked_of_a_network_and_nothing_is_printed(
    florence: Path, idefics: Path
) -> None:
    done = subprocess.run(  # noqa: S603  (our own program)
        [sys.executable, "-c", WATCHED, str(florence), str(idefics)],
        cwd=ROOT,
        env={"PATH": "", "HF_HUB_OFFLINE": "0"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


@pytest.mark.parametrize("cause", [RuntimeError, ValueError, IndexError, MemoryError])
def test_a_failing_pass_makes_the_judge_unavailable_not_the_program(
    florence: Path, cause: type[Exception]
) -> None:
    def fail() -> None:
        raise cause("shape mismatch")

    judge = LocalJudge(florence, clock=SteppingClock())
    wanted = "out of memory" if cause is MemoryError else "shape mismatch"
    with forward_passes(of="ForConditionalGeneration", then=fail):
        with pytest.raises(JudgeUnavailableError, match=wanted):
            judge.judge(crops(1))
        with pytest.raises(JudgeUnavailableError, match=wanted):
            judge.explain(crops(1)[0])
    assert len(judge.judge(crops(1))) == 1, "it answers again once it can"


def test_a_full_accelerator_is_out_of_memory(florence: Path) -> None:
    import torch

    def fail() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    judge = LocalJudge(florence, clock=SteppingClock())
    with (
        forward_passes(of="ForConditionalGeneration", then=fail),
        pytest.raises(JudgeUnavailableError, match=r"^the judge is out of memory$"),
    ):
        judge.judge(crops(2))


def test_scores_that_are_not_numbers_are_no_verdict(florence: Path, tmp_path: Path) -> None:
    broken = tiny_models.copied(florence, tmp_path / "broken")
    tiny_models.spoil_weights(broken)
    judge = LocalJudge(broken, clock=SteppingClock())
    with pytest.raises(JudgeUnavailableError, match="not finite"):
        judge.judge(crops(1))
    with pytest.raises(ConfigError, match=r"cannot judge a test picture.*take another model"):
        judge.warm_up()
