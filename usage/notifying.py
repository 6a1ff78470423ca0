"""Telling people outside of what happened: a signed webhook, and mail."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping
from typing import Final

import httpx2
from django.core.mail import EmailMessage

# What a delivery may fail with; an SMTP error is an OSError.
FAILURES: Final = (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError)


def post(
    url: str,
    secret: str,
    payload: Mapping[str, object],
    *,
    name: str,
    seconds: float = 10,
    user_agent: str = "aiservice/1.0",
) -> None:
    """Post a payload; whoever takes it answers with 2xx.

    Args:
        url: Where to.
        secret: What it is signed with.
        payload: What JSON can hold.
        name: Of this notice, the same for every attempt.
        seconds: How long an answer is waited for.
        user_agent: How we call ourselves.

    Raises:
        httpx2.HTTPError: It was not taken.
    """
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    moment = str(int(time.time()))
    response = httpx2.post(
        url,
        content=body,
        headers={
            "Content-Type": "application/json",
            "User-Agent": user_agent,
            "X-Notice-Id": name,
            "X-Timestamp": moment,
            "X-Signature-256": signature(body, moment, secret),
        },
        timeout=seconds,
        follow_redirects=False,
        trust_env=False,
    )
    if response.is_redirect:
        raise httpx2.HTTPStatusError("redirect", request=response.request, response=response)
    response.raise_for_status()


def signature(body: bytes, moment: str, secret: str) -> str:
    """Return ``sha256=…`` over ``timestamp.body``, so that neither can be replaced."""
    signed = f"{moment}.".encode() + body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def mail(subject: str, parts: Iterable[str], to: Iterable[str]) -> None:
    """Send a mail of paragraphs; those that are empty are left out."""
    EmailMessage(
        subject=" ".join(subject.split())[:200],
        body="\n\n".join(part for part in parts if part),
        to=list(to),
    ).send()


def reason(exc: Exception) -> str:
    """Return what may be kept of a failure; its text may hold the webhook's secret address."""
    status = exc.response.status_code if isinstance(exc, httpx2.HTTPStatusError) else ""
    return f"{type(exc).__name__}: {status}".rstrip(": ")


def escaped(text: str) -> str:
    """Escape what would call people or hide a link (Slack, «Formatting text», escaping)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
