"""A YARP JSON document <-> the configuration model.

`load` reads a document as .NET's binder does, and raises every problem in it at once as one `ConfigError`, with paths
that start under the `ReverseProxy` section (`Routes.api.Match.Path`). `dump` writes what `load` reads. What a document
may not say although it can be read is the business of `hostler.config.checks`.
"""

from hostler.config.yarp.document import DocumentError, Parsed, build, dump, load, loads

__all__ = ["DocumentError", "Parsed", "build", "dump", "load", "loads"]
