"""The portable server, on sockets of its own; named queues where Unix sockets carry descriptors.

`server` composes. A client's connection is a `client_socket`, under a connection and streams of `http1`, and has an
`owner`: `accepted` here, or a borrower in `queues`. Imports point from the server and the owners to the connection, and
from there to the socket; `http1` imports no owner, and the socket imports neither.
"""
