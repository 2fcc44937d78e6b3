"""The only module that imports OpenVINO at run time. The embedded models need it.

OpenVINO reports its import over the network; this module prevents that. All models share one
``Core`` for the life of the process: each ``Core`` installs its own signal stack in the thread
that opens it, and restores the previous one when it ends. If two end in the order in which they
began, the second restores a stack that no longer exists, and the next signal ends the process
with SIGSEGV.
"""

import importlib.util
import os
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

_MAX_REQUESTS = 4

_lock = threading.RLock()
_cores: list[Any] = []


def is_installed() -> bool:
    """Whether OpenVINO is installed."""
    return importlib.util.find_spec("openvino") is not None


def has_int8_instructions() -> bool:
    """Whether the processor has int8 dot-product instructions (x86's VNNI, AMX).

    Without them int8 is hardly faster, and sums of two products may saturate at 16 bits.
    """
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return not {"avx512_vnni", "avx_vnni", "amx_int8"}.isdisjoint(cpuinfo.split())


def count_cores() -> int:
    """The number of cores that this process may run on."""
    return len(os.sched_getaffinity(0))


def count_parallel_requests() -> int:
    """How many inference requests to run in parallel, each on a part of the cores.

    The threads of one request wait for the slowest of them after every layer; those of different
    requests never wait for each other.
    """
    return min(count_cores(), _MAX_REQUESTS)


def open_openvino() -> ModuleType:
    """Import OpenVINO without its telemetry. Thread-safe."""
    with _lock:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # not found
        import openvino  # noqa: PLC0415  (slow to load)

        package: ModuleType = openvino
        return package


def get_core() -> Any:  # noqa: ANN401  (OpenVINO's Core)
    """The process's only Core. Thread-safe."""
    with _lock:
        if not _cores:
            _cores.append(open_openvino().Core())
        return _cores[0]
