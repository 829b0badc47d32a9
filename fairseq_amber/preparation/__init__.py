"""Turns raw text into data folders."""
