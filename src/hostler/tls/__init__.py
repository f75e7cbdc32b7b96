"""TLS on connections of either side: `engine` is OpenSSL for one connection, `transport` the bytes of an encrypted one.

Imports point nowhere: `server` and `client` each have a handshake of their own in front of the same transport.
"""
