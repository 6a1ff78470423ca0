"""A local server that speaks Anthropic's Messages protocol over real HTTP, and keeps the bill.

It streams, counts tokens, caches prompts by the published rules (minimum, lifetime, lookback of 20
blocks, readable once the writing response began), fails on demand, and writes down what it would
bill. Tests use the real SDK against it: ``fake_claude`` in tests/conftest.py.

    fake_claude.say("Hola")                      every answer from now on
    fake_claude.then(Script(status=529, error_type="overloaded_error"))   the next answer only
    fake_claude.requests[-1]["system"]           what arrived
    fake_claude.billed_usd                       the bill, exactly
"""

from tests.fake_claude.bill import Bill
from tests.fake_claude.script import Script
from tests.fake_claude.server import FakeClaude

__all__ = ["Bill", "FakeClaude", "Script"]
