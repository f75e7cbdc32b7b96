"""Who takes part.

entry.py     an entry of the roster: how it is called, and the command that starts it
nginx.py     nginx: in front of something, and as the destination
others.py    HAProxy, Caddy, Varnish
python.py    what others wrote in Python: proxies and ASGI servers
ours.py      hostler, in each of its roles
roster.py    every entry
field.py     starts the contenders of a case, with what is behind them
"""
