"""The connection to the broker: publishing, receiving and credentials."""
