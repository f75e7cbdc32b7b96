"""The HTTP.sys server: the HTTP Server API 2.0, driven by cffi and a completion port.

Here, as in `hostler.windows`, names are spelled as Microsoft spells them. On that package stand, each importing only
what stands above it:

- `definitions`  the C declarations, of which `_bindings` is generated (`python -m hostler.server.httpsys.definitions`)
- `constants`    what the numbers mean
- `errors`       what HTTP.sys refuses, as exceptions that say what to do
- `api`          httpapi.dll as a typed protocol; nothing else calls it, and a test may stand in for it
- `marshal`      structures to values and back, without I/O
- `configuration`  what is configured for the whole machine, as `hostler url` and `hostler cert` do
- the rest       sessions, queues, requests, responses, rules, and the server of them

Everything but `api.load` runs on every platform: the declarations are in types of fixed width.
"""
