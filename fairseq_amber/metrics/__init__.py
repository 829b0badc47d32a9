"""Scores: numpy and torch, without fairseq and without files."""
