"""Training: packed pictures, augmentation, batches, the training loop, calibration."""
