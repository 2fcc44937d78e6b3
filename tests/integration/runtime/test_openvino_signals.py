"""OpenVINO and signals: whatever models come and go, a signal finds its way."""

import subprocess
import sys

PROGRAM = """
import faulthandler, gc, os, signal
import numpy as np
from monitor.runtime.openvino_runtime import get_core, open_openvino

faulthandler.enable()  # as pytest does: a stack of its own for signals
signal.signal(signal.SIGTERM, lambda *_: print("heard"))
openvino = open_openvino()
op = openvino.opset13

def compiled(opened):
    x = op.parameter([1, 8], np.float32)
    return opened.compile_model(openvino.Model([op.relu(x)], [x]), "CPU")

first, second = compiled(get_core()), compiled(get_core())
del first
gc.collect()
del second
gc.collect()
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_a_signal_is_heard_after_models_have_gone() -> None:
    """With a Core for each model, as most programs have it, the process dies of SIGSEGV."""
    ended = subprocess.run(  # noqa: S603  (our own words)
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False
    )
    assert (ended.returncode, ended.stdout.strip()) == (0, "heard"), ended.stderr
