"""Packets to pictures: decoding, time stamps, sampling and cropping."""
