"""What is configured of HTTP.sys for the whole machine, for good: who may register which URLs, and certificates.

- `endpoint`      where a certificate is bound
- `netsh`         the lines of netsh that do the same
- `store`         the records, one by one (HttpSetServiceConfiguration and its like)
- `reservations`, `certificates`  what the records say, as values
- `errors`        what HTTP.sys refuses, and what to do about it

`endpoint` and `netsh` run without cffi.
"""
