"""A checkpoint at work: sentence vectors, word links, mined pairs, predictions."""
