"""Retained messages, and the commands that the broker delivers."""
