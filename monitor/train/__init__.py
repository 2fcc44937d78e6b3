"""Training of the embedded models: torch from top to bottom, never imported at run time."""
