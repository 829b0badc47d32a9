"""``fairseq-amber prepare-task``: turns raw files of a task of XTREME into a task folder."""
