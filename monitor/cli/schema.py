"""``monitor schema``: writes the MQTT contract as machine-readable files."""

import json
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.errors import OK
from monitor.errors import OutputError


def schema(
    out: Annotated[Path, typer.Option(help="A folder; it is made if it is missing.")],
) -> int:
    """Write a JSON Schema for every payload, and an AsyncAPI 3 document of all topics."""
    from monitor.publish.contract.asyncapi import build_documents  # noqa: PLC0415  (--help needs no models)

    for name, document in build_documents().items():
        path = out / name
        try:
            out.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"--out {path}: {error.strerror}") from error
        print(path)
    return OK
