"""Our numbers beside nginx's, HAProxy's and aiohttp's, in one run: `python -m benchmarks` from the repository's root.

cases.py       what is asked for: two cases, the headers of every request
processes.py   starting, stopping and metering processes
children.py    what runs in the Python processes: hostler's and aiohttp's proxies, the worker, a destination
peers.py       the contenders, and the configuration of nginx and HAProxy
load.py        the load: h2load, wrk, or one of our own
report.py      medians, tables, aims, the Markdown page
__main__.py    the command
soak/          another command: load while everything is killed, stopped and replaced
"""
