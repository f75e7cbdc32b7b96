"""How a case is measured: what a visit to a contender finds.

requests.py     requests over and over, or messages: throughput, latencies, processor time
memory.py       connections at rest
reload.py       a new configuration under load
start.py        from nothing to listening
"""
