"""Files and addresses of strangers, fetched and decoded behind a wall."""
