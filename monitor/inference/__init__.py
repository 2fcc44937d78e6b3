"""``monitor judge`` and the HTTP API: judges one picture or recording at a time."""
