"""Processes: an event loop that stops on signals, worker processes, and the supervisor that keeps them alive.

- `signals`         how a program is asked to stop, on each platform
- `loop`            the event loop that a program runs on
- `pipe`            what a supervisor and a worker say to each other
- `worker`          what runs in a worker process
- `worker_process`  the same, as its supervisor has it
- `supervisor`      keeps workers alive, and replaces them

What is served arrives as a `hostler.service.Service`; serving it is `hostler.serving`'s. Nothing here knows which server,
and which kind of handler, it is.
"""
