"""Fine-tuning: kinds of tasks (see ``kinds``), their batches, losses, predictions and scores."""
