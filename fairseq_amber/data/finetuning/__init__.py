"""Datasets of tagging, sentence pair classification and question answering."""
