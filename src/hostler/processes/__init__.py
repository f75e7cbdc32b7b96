"""Processes: running a service until it is asked to stop, here or in workers that a supervisor keeps alive.

Each module imports only what stands above it:

- `signals`         how a program is asked to stop, on each platform
- `terminal`        what a terminal sends to the supervisor's workers, and they do not hear
- `loop`            the event loop that a program runs on
- `policy`          how many workers there are, and when: a value
- `idle`            when a worker has nothing to do
- `serving`         serving in this process: a server, its prefixes and queues, the handler's lifespan
- `pipe`            what a supervisor and a worker say to each other
- `worker`          what runs in a worker process
- `worker_process`  the same, as its supervisor has it
- `staffing`        which slots have a worker: a state machine
- `supervisor`      starts workers, keeps them alive, replaces them, stops them
- `supervising`     what it owns for them: the queue, the sockets
- `foreground`      runs a service until a signal, with workers or without

What is served comes as a `hostler.service.Service`: nothing here knows which kind of handler it is. Above this are only
the public functions and the command.
"""
