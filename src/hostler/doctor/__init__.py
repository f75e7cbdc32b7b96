"""`hostler doctor`: what is there for hostler to run with, what is not, and what to do about it.

- `finding`      one thing that was looked at: what it is, the verdict on it, a remedy
- `context`      what an examination is about: this machine, and what a document asks of it
- `examination`  the list of concerns, each of which yields findings; a module a concern
- `report`       findings for people, and as JSON

An examination leaves nothing behind; for a moment it binds what is to be listened on. Nothing imports this package
but its command.
"""
