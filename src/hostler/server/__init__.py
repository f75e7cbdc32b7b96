"""From clients: URL prefixes, listening, request queues, delegation. `base` is all that the rest of hostler knows."""
