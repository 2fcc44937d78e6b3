"""Live streams of cameras: opening, decoding and reconnecting."""
