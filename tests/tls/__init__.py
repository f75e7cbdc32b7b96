"""Tests of TLS on connections of either side."""
