"""Replays proofs (`hostler doctor --prove`) against the model of HTTP.sys, so that the model learns from Windows.

- `proofs/`      from real Windows; the model must agree with each in every call
- `samples/`     made here, and marked so: on the model itself, under Wine, and one that was doctored
- `replay`       makes every call of a proof again, in its order, and notes where the model answers otherwise
- `arguments`, `structures`   make the arguments of a call again
- `clients`      send again what clients sent, and hear what they heard
"""
