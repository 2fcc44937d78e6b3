"""The connection to the broker: sending, receiving and what it takes to be let in."""
