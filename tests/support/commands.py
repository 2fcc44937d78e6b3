"""Commands of the program, as if typed, but in the test's own process."""

import logging
from pathlib import Path

from typer.testing import CliRunner, Result

from monitor.cli.app import app


def monitor(*words: str | Path) -> Result:
    """Run one command; an error that it does not report fails the test.

    A wrong command line ends with 2 here; the program makes 78 of it.
    """
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        return CliRunner(env={"COLUMNS": "200"}).invoke(
            app, [str(word) for word in words], prog_name="monitor", catch_exceptions=False
        )
    finally:  # the command's own go to a stream that is closed by now
        root.handlers[:] = handlers
        root.setLevel(level)
