"""Cameras that send: opening, decoding and watching over their streams."""
