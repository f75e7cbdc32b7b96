"""The HTTP.sys server: the HTTP Server API 2.0, driven by cffi and a completion port.

This is the one place where names are spelled as Microsoft spells them. From the ground up, each importing only what
stands above it:

- `definitions`  the C declarations, of which `_bindings` is generated (`python -m hostler.server.httpsys.definitions`)
- `constants`    what the numbers mean
- `errors`       Win32 codes as exceptions that say what to do
- `api`          the four DLLs as typed protocols; nothing else calls Windows, and a test may stand in for them
- `marshal`      structures to values and back, without I/O
- `port`, `proactor`  overlapped calls, and the completion ports that say when they are over
- the rest       sessions, queues, requests, responses, rules, and the server of them

Everything but `api.load` runs on every platform: the declarations are in types of fixed width.
"""
