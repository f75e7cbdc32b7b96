"""Towards destinations: pools, connections, tunnels."""
