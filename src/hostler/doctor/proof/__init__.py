"""`hostler doctor --prove`: try on this machine what hostler, and the model in its tests, expect of HTTP.sys.

- `promises/`     what is promised, each tried with servers and clients that are real
- `promise`       an attempt at one, and what came of it
- `rig`           what a promise is given: servers, clients, other processes
- `this_machine`  what is around: `other`, the other process; `certificate`, one of the proof's own, for TLS
- `clients`, `http2`  clients on raw sockets, and with HTTP/2
- `errors`        how an attempt ends when the promise is not kept
- `recording`     a `Windows` that writes down every call and every packet
- `calls`, `structures`  what is written down of each call
- `document`      the file that comes of it
- `proof`         all of it, one promise after the other
- `command`       the same as a command

A file is replayed against the model by `tests/doctor/replay/`, call by call, so that one from a Windows that is not
ours corrects the model. Everything that is made on the machine is removed again, also after Ctrl-C.
"""
