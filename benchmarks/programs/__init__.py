"""What runs in the Python processes of a run; nothing here imports hostler but `ours` and `engines`.

ours.py             hostler's proxies and servers
application.py      the ASGI application that every server serves
engines.py          the ways to TLS, with nothing around them
origin.py           a destination that reads bodies, answers in chunks and echoes messages
aiohttp_proxy.py, starlette_proxy.py, proxy_py.py     proxies that others would write
"""
