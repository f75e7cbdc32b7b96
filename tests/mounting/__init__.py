"""Handlers inside ASGI applications."""
