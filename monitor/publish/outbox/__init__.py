"""The alerts that have to arrive, on disk until the broker has acknowledged them."""
