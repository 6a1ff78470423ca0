"""How fast the admin's pages are on a large database: one process, every list, filter, search and file.

    DATABASE_URL=postgres://… python -m tests.load.seed
    DATABASE_URL=postgres://… python -m tests.load.admin_pages [--slow 300] [--only usage]

Prints p50 and p95 of each page in milliseconds, over HTTP and as an administrator.
"""

import argparse
import base64
import math
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import django
import httpx2

from tests import servers

USAGE: Final = "/admin/usage/usagerecord/"
VALIDATIONS: Final = "/admin/dte/validation/"
CONVERSATIONS: Final = "/admin/chat/conversation/"
MESSAGES: Final = "/admin/chat/message/"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--slow", type=float, default=300, help="milliseconds")
    parser.add_argument("--only", default="", help="pages whose name has this")
    parser.add_argument("--timeout", type=float, default=60)
    options = parser.parse_args()
    with serving(options.timeout) as (browser, _):
        browser.get("/admin/")  # what a process does once is no part of a page
        pages = [page for page in addresses() if options.only in page[0]]
        slow = sum(measured(browser, *page, options) for page in pages)
    print(f"{len(pages)} pages, {slow} over {options.slow:.0f} ms")


@contextmanager
def serving(timeout: float) -> Iterator[tuple[httpx2.Client, subprocess.Popen[bytes]]]:
    """Serve the database named by ``DATABASE_URL`` with one process, and enter as an administrator."""
    with tempfile.TemporaryDirectory() as state:
        port = servers.free_port()
        os.environ |= {
            "ENVIRONMENT": "development", "STATE_DIR": state, "LOG_LEVEL": "WARNING", "PROCESSES": "1",
            "KNOWLEDGE_SEMANTIC": "off", "HOST": "127.0.0.1", "PORT": str(port),
        }  # fmt: skip
        os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aiservice.settings")
        django.setup()
        name, password = administrator()
        process = servers.start(
            [sys.executable, "-m", "aiservice.serve"], log=Path(state, "log"), env=os.environ
        )
        try:
            url = f"http://127.0.0.1:{port}"
            servers.wait_until(lambda: is_up(url), process)
            with httpx2.Client(base_url=url, timeout=timeout) as browser:
                enter(browser, name, password)
                yield browser, process
        finally:
            process.terminate()
            process.wait()


def is_up(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/ready", timeout=1).status_code == 200
    except httpx2.TransportError:
        return False


def administrator() -> tuple[str, str]:
    from django.contrib.auth.models import User

    name, password = "carga", secrets.token_urlsafe(20)
    User.objects.filter(username=name).delete()
    User.objects.create_superuser(name, password=password)
    return name, password


def enter(browser: httpx2.Client, name: str, password: str) -> None:
    page = browser.get("/admin/login/").text
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    form = {"username": name, "password": password, "csrfmiddlewaretoken": token[1]}
    answer = browser.post("/admin/login/", data=form, headers={"Referer": str(browser.base_url)})
    assert answer.status_code == 302, answer.status_code


def measured(browser: httpx2.Client, title: str, path: str, options: argparse.Namespace) -> bool:
    """Ask for a page some times; return whether it is slow."""
    times = []
    for _ in range(options.times):
        began = time.perf_counter()
        if "/export/csv/" in path:
            with browser.stream("GET", path) as answer:
                next(answer.iter_raw())
                times.append(1000 * (time.perf_counter() - began))
                status = answer.status_code
        else:
            status = browser.get(path).status_code
            times.append(1000 * (time.perf_counter() - began))
        if times[-1] > 3000 and len(times) > 1:
            break
    times.sort()
    p50, p95 = times[len(times) // 2], times[math.ceil(0.95 * len(times)) - 1]
    slow = p95 > options.slow or status != 200
    print(f"{p50:8.0f} {p95:8.0f}  {status} {'SLOW ' if slow else '     '}{title}", flush=True)
    return slow


def position(moment: Any) -> str:
    """Return the cursor of the page that begins after a moment."""
    return base64.b64encode(urlencode({"p": str(moment)}).encode()).decode()


def addresses() -> Iterator[tuple[str, str]]:
    """Return what is asked: each page's name and address."""
    from chat.models import Conversation, Message
    from dte.models import Validation
    from usage.models import ApiKey, UsageRecord

    yield "home 30 days", "/admin/"
    yield "home 90 days", "/admin/?dias=90"
    for title, path, model, moment in (
        ("usage", USAGE, UsageRecord, "started_at"),
        ("validations", VALIDATIONS, Validation, "created_at"),
        ("conversations", CONVERSATIONS, Conversation, "updated_at"),
        ("messages", MESSAGES, Message, "created_at"),
    ):
        newest = model._default_manager.order_by(f"-{moment}").values_list(moment, flat=True)[0]
        middle, oldest = newest - timedelta(days=200), newest - timedelta(days=399)
        row = model._default_manager.order_by(f"-{moment}").first()
        assert row is not None
        yield f"{title}: first page", path
        yield f"{title}: deep page", f"{path}?cursor={position(middle)}"
        yield f"{title}: last pages", f"{path}?cursor={position(oldest)}"
        yield f"{title}: one row", f"{path}{row.pk}/change/"
        for days in (0, 30, 399):
            day = newest - timedelta(days=days)
            query = f"{moment}_from={day:%d-%m-%Y}&{moment}_to={day:%d-%m-%Y}"
            yield f"{title}: a day, {days} days ago", f"{path}?{query}"
        yield f"{title}: file", f"{path}export/csv/"
        for asked in queries(title):
            text = urlencode(asked)
            yield f"{title}: {text}", f"{path}?{text}"
    most, least = (
        ApiKey.objects.filter(name__startswith="carga-").order_by(order)[0]
        for order in ("pk", "-pk")
    )
    for key in (most, least):
        yield f"usage: of {key.name}", f"{USAGE}?api_key__id__exact={key.pk}"
        yield (
            f"usage: of {key.name}, swept",
            f"{USAGE}?api_key__id__exact={key.pk}&outcome__exact=swept",
        )
        yield f"validations: of {key.name}", f"{VALIDATIONS}?api_key__id__exact={key.pk}"
        yield f"conversations: of {key.name}", f"{CONVERSATIONS}?api_key__id__exact={key.pk}"
    yield "usage: file of one key", f"{USAGE}export/csv/?api_key__id__exact={least.pk}"


def queries(title: str) -> list[dict[str, Any]]:
    """Return every filter of a list with each of its values, and its searches."""
    from chat.models import Conversation, Message
    from dte.models import RaisedCode, Validation
    from usage.models import Operation, Outcome, UsageRecord

    found: list[dict[str, Any]]
    if title == "usage":
        row = UsageRecord.objects.order_by("started_at")[5]
        answer = Message.objects.exclude(usage=None).select_related("conversation").first()
        assert answer is not None
        found = [
            *({"operation__exact": value} for value in Operation.values),
            *({"outcome__exact": value} for value in Outcome.values),
            *({"model": f"claude-{name}"} for name in ("sonnet-5-5", "fable-5-2", "opus-4-5")),
            *({"state__exact": value} for value in ("open", "settled")),
            *({"usage_complete__exact": value} for value in (0, 1)),
            {"operation__exact": "sii.notice", "outcome__exact": "swept"},
            {"operation__exact": "sii.notice", "model": "claude-fable-5-2"},
            {"outcome__exact": "refused", "model": "claude-fable-5-2"},
            *({"q": q} for q in (row.request_id, row.pk, row.provider_request_id, "nada")),
            {"q": answer.conversation.session_id},
        ]
    elif title == "validations":
        one = Validation.objects.order_by("created_at")[5]
        codes = RaisedCode.objects.order_by("code").values_list("code", flat=True)
        found = [
            *({"recommendation__exact": value} for value in Validation.Recommendation.values),
            *({"outcome__exact": value} for value in Validation.SiiOutcome.values),
            *({"mode__exact": value} for value in Validation.Mode.values),
            *({"tipo": value} for value in (33, 110, 46)),
            *({"kind": value} for value in ("DTE", "CAF", "AEC")),
            *({"regla": code} for code in {codes.first(), codes.last(), "X"}),
            *(
                {"q": q}
                for q in (one.folio, one.issuer, one.receiver, one.pk, one.track_id, "nada")
            ),
        ]
    elif title == "conversations":
        long = Conversation.objects.order_by("-pk")[0]
        found = [
            *({"specialist": name} for name in ("l10n_cl_dte", "general", "project")),
            *(
                {"q": q}
                for q in (
                    long.session_id,
                    "sesion-1",
                    "factura",
                    "cesión carátula",
                    "n77777",
                    "nada",
                )
            ),
        ]
    else:
        found = [
            *({"role__exact": value} for value in Message.Role.values),
            *({"llm_used": value} for value in ("anthropic", "offline", "otro")),
            *({"specialist": name} for name in ("l10n_cl_dte", "general", "project")),
            *({"rating__exact": value} for value in ("up", "down")),
            *({"cut__exact": value} for value in (0, 1)),
            *({"q": q} for q in ("factura", "cesión carátula", "n77777", "nada", "sesion-77")),
        ]
    return found


if __name__ == "__main__":
    main()
