"""A handler inside an ASGI application of others: a `Proxy` mounted in Starlette or FastAPI, or served by uvicorn.

`application` answers scopes; `request` makes an exchange of one; `http` and `websocket` are the server's side of it,
over `receive` and `send`; `stream` is what they have in common. The connection is that of the server outside, so that
nothing can be delegated.
"""

from hostler.mounting.application import Mounted

__all__ = ["Mounted"]
