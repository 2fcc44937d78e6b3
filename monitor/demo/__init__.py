"""The parts of ``monitor demo``: its clip, its scene and its broker."""
