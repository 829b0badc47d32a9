"""Scores, computed without fairseq and without files: retrieval accuracy, margin scores of mined
pairs, alignment error rate (AER), F1 of tags, exact match and F1 of answers, significance tests."""
