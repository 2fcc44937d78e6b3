"""Training the judge: its data, its losses and its training run."""
