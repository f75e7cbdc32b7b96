"""hostler."""
