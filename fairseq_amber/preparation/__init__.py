"""From raw text to folders that fairseq trains on, and a corpus to try it with."""
