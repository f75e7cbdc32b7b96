"""HTTP.sys's structures to hostler's values and back: memory in, values out, and the reverse. Nothing here calls Windows.

- `memory`      reading by address, and addresses of what is written
- `address`     SOCKADDR
- `request`     HTTP_REQUEST
- `security`    HTTP_SSL_INFO, HTTP_REQUEST_AUTH_INFO
- `response`    HTTP_RESPONSE, HTTP_DATA_CHUNK
- `properties`  what URL groups and queues are set to
- `logins`      HTTP_SERVER_AUTHENTICATION_INFO, HTTP_CHANNEL_BIND_INFO
- `log`         HTTP_LOGGING_INFO, HTTP_LOG_FIELDS_DATA

What is written owns all that it points to: as long as it lives, so do its buffers. What is read is copied out, once.

No I/O: imports point to `hostler.http`, `hostler.errors`, `hostler.exchange`, the options, and the bindings' types and
constants.
"""
