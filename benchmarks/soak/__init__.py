"""Load while everything is killed, stopped and replaced: `python -m benchmarks.soak` from the repository's root.

application.py  what destinations and workers serve: an answer that says which request it is for
clients.py      the load; what became of each request
field.py        the processes: a proxy, a destination, a queue's supervisors
disruption.py   what is done to them, drawn by a seed
verdict.py      what was lost, what is excused, whether memory and descriptors stay flat
reloads.py      another command: a document that is replaced again and again
tls.py          another: clients that do TLS wrong; tls_attacks.py: what they do
__main__.py     the command
"""
