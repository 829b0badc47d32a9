"""Reads and writes Hugging Face's folders of BERT and XLM-R."""
