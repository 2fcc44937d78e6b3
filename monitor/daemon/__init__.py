"""The program ``monitor run``: live cameras in, alerts out, until it is stopped."""
