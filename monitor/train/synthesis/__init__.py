"""Drawing what may cover a face, and what may not, onto clear faces."""
