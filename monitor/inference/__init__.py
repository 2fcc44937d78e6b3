"""One picture or recording in, one answer out: ``monitor judge`` and the HTTP API."""
