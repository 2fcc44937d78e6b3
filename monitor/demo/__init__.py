"""Everything that ``monitor demo`` plays with: a clip, its scene and a broker."""
