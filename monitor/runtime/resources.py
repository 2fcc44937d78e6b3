"""Finds the folders that come with the program: models/ and configs/."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def find_bundled(name: str) -> Path:
    """The folder ``models`` or ``configs``, in an installed wheel or in a checkout."""
    packed = _PACKAGE / "_data" / name
    return packed if packed.is_dir() else _PACKAGE.parent / name
