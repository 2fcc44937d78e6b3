"""Ports of this machine."""

import socket
from contextlib import suppress

HOST = "127.0.0.1"


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def reachable(port: int) -> bool:
    """Whether somebody takes connections there."""
    with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False
