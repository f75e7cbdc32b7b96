"""Named queues of the user-mode server: a client's connection is lent to another process, which answers on it.

`directory` says who serves a queue; `packets` is what processes say to one another, `link` how it travels. `lender` and
`borrower` are the two sides of a queue: the lender has a `member` for each process that serves it, the borrower has what
it was lent in `borrowed`. `rule` is what a destination opens, `loan` what goes from one side to the other,
`lent_transport` how the borrower reads and writes, `tcp_info` what the kernel counts meanwhile. Imports point from the
sides to `loan`, `link` and `directory`, and from there to `packets`; the lender's side and the borrower's do not know
each other.
"""
