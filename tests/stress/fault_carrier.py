"""A process that stores alerts while it carries them, to be killed by the fault matrix.

    python -m tests.stress.fault_carrier OUTBOX PORT FIRST COUNT

Says on standard output how many messages are stored, after each; the first is 0.
"""

import sys
from pathlib import Path

from tests.stress.fault_bench import carrying, story


def main(path: Path, port: int, first: int, count: int) -> None:
    """Store, carry, never end."""
    with carrying(path.parent, port) as outbox:
        for n, message in enumerate(story(count, first=first)):
            outbox.add(message)
            print(n, flush=True)  # noqa: T201  (the test reads along)
        sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]))
