"""Transforms: what a route changes of a request on its way out, and of its response on its way back (YARP's Transforms).

`reading` makes them of a route's configuration: mappings with YARP's keys, and functions of your own. A route's
`Transforms` are compiled once, as a part of its equipment. `hostler.client` applies them to the outgoing messages, which
are values until they are written; nothing here knows sockets or an event loop.
"""
