"""Towards destinations: what goes out, over which connection, and what comes back.

`outgoing` and `address` are values; `upstream` is the seam between the exchanges (`transfer`, `forwarder`) and the
connections (`pool`, `connector`, `http1`). Neither side imports the other, but for `connector`, which picks the class
of a connection, and `forwarder`, which puts everything together.
"""
