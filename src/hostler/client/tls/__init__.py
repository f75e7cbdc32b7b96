"""TLS towards destinations: what connections are encrypted by, how they begin, and why that failed.

`contexts` are values of OpenSSL's; `handshake` is the protocol of a connection until it is encrypted; `sessions` are what
later handshakes resume; `failures` puts OpenSSL's errors into words.
"""
