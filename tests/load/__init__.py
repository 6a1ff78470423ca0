"""Measurements, run by hand: they take minutes, and a loaded machine would make them fail as tests."""
