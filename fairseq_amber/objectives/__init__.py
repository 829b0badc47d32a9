"""The mathematics of the objectives: pure torch, no fairseq, no I/O, no state."""
