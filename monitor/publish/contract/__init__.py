"""What is said on which topic, in which words, and the documents that describe it."""
