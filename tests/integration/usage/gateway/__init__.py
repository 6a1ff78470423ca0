"""Tests of the gateway: the real SDK against the local server, over HTTP, on PostgreSQL."""
