"""Measuring models on labelled folders, the same figures for every judge and detector."""
