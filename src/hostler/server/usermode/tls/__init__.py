"""TLS on clients' connections: `transport` makes the records, `contexts` has the certificates."""
