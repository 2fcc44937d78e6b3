"""Judges whose weights lie on this machine."""
