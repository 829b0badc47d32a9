"""Predictions of a fine-tuned checkpoint on XTREME's tasks."""
