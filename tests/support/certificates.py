"""Certificates made on the spot by the openssl command."""

import subprocess
from pathlib import Path


def certificate(
    folder: Path, name: str, host: str = "127.0.0.1", *, days: int = 2
) -> tuple[Path, Path]:
    """A self-signed certificate for an address, and its key. Negative days: it has expired."""
    made, key, asked = (folder / f"{name}.{ending}" for ending in ("pem", "key", "csr"))
    _openssl(
        *("req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-subj", f"/CN={name}", "-addext", f"subjectAltName=IP:{host}"),
        *("-keyout", str(key), "-out", str(asked)),
    )
    _openssl(
        *("x509", "-req", "-in", str(asked), "-signkey", str(key), "-days", str(days)),
        *("-copy_extensions", "copy", "-out", str(made)),
    )
    return made, key


def _openssl(*arguments: str) -> None:
    subprocess.run(["/usr/bin/env", "openssl", *arguments], check=True, capture_output=True)  # noqa: S603  (our own arguments)
