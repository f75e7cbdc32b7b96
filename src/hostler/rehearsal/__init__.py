"""A request that is led through a proxy, and of which nothing leaves this process: `hostler check --explain`.

The proxy, its table, its stages, its clients and their codec are those that serve. Only the ends are others: the
client's stream and the connections to destinations keep what they get (`recording`), and each destination is taken to
answer 200 at once. Imports everything but servers' implementations; nobody but its command imports it.
"""
