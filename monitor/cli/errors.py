"""Reports a command's errors in one line, and exits with a status."""

import functools
import os
import sys
from collections.abc import Callable
from typing import ParamSpec

from monitor.errors import ConfigError, MonitorError

OK = 0
FAILED = 1
BAD_CONFIG = 78  # EX_CONFIG of sysexits.h; monitor.service does not restart on it

P = ParamSpec("P")


def command(body: Callable[P, int]) -> Callable[P, None]:
    """Make a function that returns an exit status into a command that exits with it."""

    @functools.wraps(body)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        """The command: run the body, report its errors, exit."""
        try:
            status = body(*args, **kwargs)
        except ConfigError as error:
            print(f"monitor: {error}", file=sys.stderr)
            status = BAD_CONFIG
        except MonitorError as error:
            print(f"monitor: {error}", file=sys.stderr)
            status = FAILED
        except KeyboardInterrupt:
            status = 130  # what shells report for a program that SIGINT ended
        except BrokenPipeError:  # the reader of our output has closed it
            status = OK
        _finish_output()
        raise SystemExit(status)

    return run


def _finish_output() -> None:
    """Flush the output now: at exit, Python would report a closed pipe as an error."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
