"""The load.

task.py      what a load generator is to do, and what it saw
h2load.py    nghttp2's, for kept-alive connections
client.py    a connection of our own generator, which asks again as soon as it is answered
own.py       our own generator, which does every case
"""
