"""Our numbers beside those of others, in one run: `python -m benchmarks` from the repository's root.

cases.py        what is asked for: every case, and who takes part in it
figures.py      what is measured
aims.py         what we want to reach
certificate.py  of the contenders that listen over TLS
builds.py       the builds of hostler: which Python, compiled or pure; revisions.py: another revision
contenders/     the programs that take part: how each is configured and started
programs/       what runs in the Python processes among them
load/           the load: h2load, or a generator of our own
measures/       what a visit to a contender finds
rounds.py       a case, measured in interleaved rounds
results.py      what a run found, as a value
report/         tables, the page of the documentation, its chart
machine.py      what a run ran on; install.py: peers that Debian has
processes.py    starting, stopping and metering processes
__main__.py     the command; options.py: its options
soak/           another command: load while everything is killed, stopped and replaced
"""
