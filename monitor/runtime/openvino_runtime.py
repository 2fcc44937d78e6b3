"""The one place that imports OpenVINO. Optional: where it is not installed, torch computes.

Left alone, OpenVINO reports its import over the network; behind this module it does not. And
there is one ``Core`` for all models, for as long as the process lives: each brings its own
stack for signals to the thread that opens it, and puts the earlier one back when it ends. Of
two that end in the order in which they began, the second puts back one that is gone, and the
next signal, a SIGTERM say, ends the process with SIGSEGV instead of in order.
"""

import importlib.util
import os
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

_MOST_LANES = 4

_lock = threading.RLock()
_cores: list[Any] = []


def installed() -> bool:
    """Whether OpenVINO is there to be used."""
    return importlib.util.find_spec("openvino") is not None


def multiplies_bytes() -> bool:
    """Whether the processor has instructions for sums of products of bytes (x86's VNNI, AMX).

    Without them int8 gains little, and sums of two products may be cut off at 16 bits.
    """
    try:
        facts = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return not {"avx512_vnni", "avx_vnni", "amx_int8"}.isdisjoint(facts.split())


def cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0))


def parallel_requests() -> int:
    """How many calls of a model are worth having at work at a time, each on some of the cores.

    Threads of one call wait for one another after every layer, for as long as the slowest of
    them is kept from its core by other work; those of different calls never do.
    """
    return min(cores(), _MOST_LANES)


def open_openvino() -> ModuleType:
    """Import OpenVINO without its reports, and give the package back. Thread-safe."""
    with _lock:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # not found
        import openvino  # noqa: PLC0415  (optional, and slow to load)

        package: ModuleType = openvino
        return package


def core() -> Any:  # noqa: ANN401  (OpenVINO's Core)
    """The process's only Core. Thread-safe."""
    with _lock:
        if not _cores:
            _cores.append(open_openvino().Core())
        return _cores[0]
