"""The portable server: listener, connections, named queues, packets, descriptors."""
