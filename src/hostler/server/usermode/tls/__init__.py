"""TLS on clients' connections: `handshake` begins them, `contexts` has the certificates."""
