"""The service with a tenth of its patience for slow connections, run as a process by test_slow_clients.py."""

from aiservice import connections, serve

HASTE = 10

if __name__ == "__main__":
    for name in ("IDLE_SECONDS", "HEADER_SECONDS", "BODY_SECONDS"):
        setattr(connections, name, getattr(connections, name) / HASTE)
    serve.main()
