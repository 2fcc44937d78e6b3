"""The units say what systemd must know, and systemd itself accepts them."""

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.runtime.supervisor import GRACE_S, TICK_S

UNITS = Path(__file__).parents[1] / "systemd"
NAMES = ["monitor.service", "monitor@.service"]
PROGRAM = "/opt/monitor/bin/monitor"
EXPOSURE_LIMIT = 20  # of 100, as systemd-analyze counts; 100 is a service without any limits


class Unit(configparser.ConfigParser):
    """One unit file; of a key that appears more than once, the last value."""

    def __init__(self, name: str) -> None:
        super().__init__(strict=False, interpolation=None, delimiters="=", comment_prefixes="#")
        self.read(UNITS / name, encoding="utf-8")

    def optionxform(self, optionstr: str) -> str:
        return optionstr  # systemd's keys are case-sensitive


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def analyzed(verb: str, unit: Path, *options: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    assert program, "systemd-analyze is missing: apt-get install systemd"
    return subprocess.run(  # noqa: S603  (our own arguments)
        [program, verb, *options, unit], capture_output=True, text=True, check=False
    )


def installed(name: str, folder: Path, *, changed: tuple[str, str] = ("", "")) -> Path:
    """The unit as an administrator would have it, with a program that exists here."""
    text = (UNITS / name).read_text(encoding="utf-8").replace(*changed)
    unit = folder / name.replace("@", "@north")
    unit.write_text(text.replace(PROGRAM, sys.executable), encoding="utf-8")
    return unit


def test_systemd_finds_nothing_wrong(name: str, tmp_path: Path) -> None:
    result = analyzed("verify", installed(name, tmp_path))
    assert (result.returncode, result.stderr) == (0, "")


def test_systemd_would_find_a_misspelt_setting(name: str, tmp_path: Path) -> None:
    misspelt = installed(name, tmp_path, changed=("WatchdogSec", "WatchdogSecs"))
    assert "WatchdogSecs" in analyzed("verify", misspelt).stderr


def test_little_of_the_machine_is_exposed(name: str, tmp_path: Path) -> None:
    limits = ("--offline=true", f"--threshold={EXPOSURE_LIMIT}")
    result = analyzed("security", installed(name, tmp_path), *limits)
    assert result.returncode == 0, result.stdout


def test_the_program_reports_its_health_itself(name: str) -> None:
    service = Unit(name)["Service"]
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) > 2 * TICK_S
    assert int(service["TimeoutStopSec"]) > GRACE_S


def test_everything_but_a_wrong_configuration_is_tried_again(name: str) -> None:
    service = Unit(name)["Service"]
    assert service["Restart"] == "always"
    assert service["RestartPreventExitStatus"] == "78"
    assert Unit(name)["Unit"]["StartLimitIntervalSec"] == "0"


def test_each_instance_has_its_own_configuration_and_folder() -> None:
    single, template = (Unit(name)["Service"] for name in NAMES)
    assert single["ExecStart"] == f"{PROGRAM} run /etc/monitor/monitor.yaml"
    assert template["ExecStart"] == f"{PROGRAM} run /etc/monitor/%i.yaml"
    assert single["StateDirectory"] == "monitor"
    assert template["StateDirectory"] == "monitor-%i"


def test_both_units_are_hardened_alike() -> None:
    shared = []
    for name in NAMES:
        service = dict(Unit(name)["Service"])
        for own in ("ExecStart", "StateDirectory", "CacheDirectory", "Environment"):
            service.pop(own)
        shared.append(service)
    assert shared[0] == shared[1]


def test_passwords_come_as_credentials(name: str) -> None:
    text = (UNITS / name).read_text(encoding="utf-8")
    assert "\n#LoadCredential=yard:/etc/monitor/secrets/yard\n" in text
