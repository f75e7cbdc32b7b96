"""What the user wrote: the frozen model, the YARP document, and the rules over both.

Imports `hostler.errors` and `hostler.routing` only; `model` imports no I/O at all.
"""
