"""Training the detector: its data, its augmentation and its training run."""
