"""What a checkpoint is worth: scores on test sets, and reports that compare them."""
