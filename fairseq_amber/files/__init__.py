"""The one reader and the one writer of each kind of file."""
