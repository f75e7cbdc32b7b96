"""The commands of the command line: a module each, imported when it is the one that was called.

A command is a module with `add_options(parser)` and `execute(args)`, which returns the exit status; `hostler.cli` knows
them by name. `execution` is around every one of them, `options` has the options that several have.
"""
