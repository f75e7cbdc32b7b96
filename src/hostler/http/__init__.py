"""The language: values and codecs of HTTP. No sockets, no event loop; imports `hostler.errors` only."""
