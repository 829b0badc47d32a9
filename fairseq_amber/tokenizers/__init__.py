"""SentencePiece and WordPiece: text to pieces with their offsets, and fairseq's dictionaries."""
