"""Ports of this machine."""

import itertools
import os
import random
import socket
from contextlib import suppress
from typing import Final

HOST = "127.0.0.1"

# Below those that the kernel gives to connections, which could take a port between the moment
# it is found free and the moment a server listens there; and for each worker others.
_FIRST, _EACH = 20_000, 1_500
_WORKER: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
_STEPS: Final = itertools.count(random.SystemRandom().randrange(_EACH))


def free_port() -> int:
    """A loopback port without a listener; the same one is not returned again soon."""
    for step in itertools.islice(_STEPS, _EACH):
        port = _FIRST + _WORKER * _EACH + step % _EACH
        with suppress(OSError), socket.create_server((HOST, port)):
            return port
    raise RuntimeError("no port is free")


def reachable(port: int) -> bool:
    """Whether a server takes connections there."""
    with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False
