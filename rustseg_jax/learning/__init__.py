"""Training: data folders, augmentation, the optimiser's loop, evaluation."""
