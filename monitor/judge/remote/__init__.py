"""Judges behind an HTTP server, and what keeps a failing one from being asked."""
