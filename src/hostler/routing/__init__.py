"""Which route a request takes: path templates, and the table that chooses among them.

Imports `config.model`; knows no sockets, no event loop and no live destinations.
"""
