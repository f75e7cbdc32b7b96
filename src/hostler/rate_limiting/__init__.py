"""Rate limiters: what a document's `Policies.RateLimiters` define. Imported when a configuration names one.

`windows.py` counts, by the algorithms of the library `limits`, in `memory.py` or `redis.py`; `keys.py` says whose requests
are counted together, `policy.py` what a policy is. Imports point from `ready.py`, which makes policies, to the others.
"""
