"""TLS on connections of either side: `engine` is OpenSSL for one connection, `transport` the bytes of an encrypted one.

`chain` puts a certificate and its key into a context, `authorities` those that a peer's must lead to; `stamps` tell
whether their files have changed. Imports point to `errors` and `reading` alone: `server` and `client` each have a
handshake of their own in front of the same transport.
"""
