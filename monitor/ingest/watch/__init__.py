"""Watching a camera's frames: motion, tampering, and how often they are analysed."""
