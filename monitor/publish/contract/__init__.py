"""Topics and payloads, and the documents that describe them."""
