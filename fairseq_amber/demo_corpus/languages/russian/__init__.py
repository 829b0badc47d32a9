"""Russian: its grammar, and its words as tables."""
