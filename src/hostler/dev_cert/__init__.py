"""`hostler dev-cert`: a certificate for development, of an authority that vouches for this machine's names alone.

`authority` makes both, in memory; `store` keeps them in files; `trusting` says how to have the authority trusted.
Imports point to `errors`; `authority` needs the extra `certificates`.
"""
