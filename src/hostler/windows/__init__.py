"""Windows itself: what hostler calls in it that is not HTTP.sys.

Names are spelled as Microsoft spells them. From the ground up, each module importing only what stands above it, and
nothing of `hostler.server`:

- `definitions`  the C declarations, of which `_bindings` is generated (`python -m hostler.windows.definitions`)
- `constants`    what the numbers mean
- `errors`       Win32 codes as exceptions
- `libraries`    the DLLs as typed protocols; nothing else calls Windows, and a test may stand in for them
- `accounts`     users and groups: names, and what stands for them in security descriptors
- `tcp`          which processes listen on a port
- `port`, `proactor`  overlapped calls, and the completion ports that say when they are over
- `console`      the end of the console

Everything but `libraries.load` runs on every platform: the declarations are in types of fixed width.
"""
