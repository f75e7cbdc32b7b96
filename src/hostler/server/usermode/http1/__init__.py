"""HTTP/1.1 on a client's socket: the connection reads requests, a stream is one of them with its answer.

Neither knows whose the connection is. Imports point from the connection to the stream, never back.
"""
