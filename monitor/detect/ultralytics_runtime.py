"""The one place that imports ultralytics: offline, with a settings folder of its own.

Left alone, ultralytics resolves host names at import, reports usage, installs packages it
misses and unpickles whatever a checkpoint holds. Behind this module it does none of that.
"""

import atexit
import os
import shutil
import sys
import tempfile
import threading
from types import ModuleType

_ENVIRONMENT = {
    "YOLO_OFFLINE": "true",  # no name look-up at import, no downloads, no usage reports
    "YOLO_AUTOINSTALL": "false",  # a missing package is an error, not a pip run
    "ULTRALYTICS_SAFE_LOAD": "true",  # checkpoints may hold known layers only, no code
    "YOLO_VERBOSE": "false",
}
_lock = threading.Lock()


def open_ultralytics() -> ModuleType:
    """Prepare the environment, import ultralytics and give the package back.

    The settings folder is a private temporary one, removed when the process ends, so no
    setting of another program on the machine applies here. Thread-safe; calls after the
    first cost nothing.
    """
    with _lock:
        if "ultralytics" not in sys.modules:
            _prepare()
        threads = os.environ.get("OMP_NUM_THREADS")
        import torch  # noqa: F401  (reads its number of threads before ultralytics limits it)
        import ultralytics

        # It replaces PIL.Image.open by one that asks for a package whenever a picture is broken.
        ultralytics.utils.patches._pil_plugins_registered = True  # noqa: SLF001
        if threads is None:
            os.environ.pop("OMP_NUM_THREADS", None)
        if ultralytics.settings["sync"]:
            ultralytics.settings.update({"sync": False})
        package: ModuleType = ultralytics
        return package


def _prepare() -> None:
    """Set the environment that ultralytics reads once, at import."""
    folder = tempfile.mkdtemp(prefix="monitor-ultralytics-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ |= _ENVIRONMENT | {"YOLO_CONFIG_DIR": folder}
