"""What one look at a page makes of what the site answers."""

import ssl
import time
from datetime import date

import pytest

from knowledge.models import SiiNotice, SiiSnapshot, SiiSource
from knowledge.monitoring.extracting import extract
from knowledge.monitoring.fetching import Fetcher, FetchError
from tests import sii_site

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

PATH = "/circulares.htm"
FIRST = "<ul><li>Circular N° 44 del 1 de octubre de 2026. Instruye sobre retenciones.</li></ul>"
SECOND = FIRST.replace(
    "<ul>",
    "<ul><li><a href='/circu45.pdf'>Circular N° 45 del 20 de noviembre de 2026</a>: deberá emitirse guía de despacho.</li>",
)


def result(source: SiiSource) -> str:
    source.refresh_from_db()
    return source.last_result


def test_first_look_is_a_baseline_and_the_second_finds_nothing(site, source, look):
    site.put(PATH, sii_site.page(FIRST))
    assert look().checks == 1
    assert result(source) == "baseline"
    site.put(PATH, sii_site.page(FIRST, turn=9))
    look()
    assert result(source) == "unchanged"
    assert SiiSnapshot.objects.count() == 1
    assert not SiiNotice.objects.exists()


def test_change_is_told_once_with_diff_links_and_what_it_is(site, source, look):
    site.put(PATH, sii_site.page(FIRST))
    look()
    site.put(PATH, sii_site.page(SECOND, turn=3))
    assert look().notices == 1
    look()
    look(force=True)
    notice = SiiNotice.objects.get()
    assert notice.diff.splitlines()[1:2] == [" Circulares"]
    assert [line for line in notice.diff.splitlines() if line[0] in "+-"] == [
        "+* Circular N° 45 del 20 de noviembre de 2026 [/circu45.pdf]: deberá emitirse guía de despacho."
    ]
    assert notice.links == [f"{site.url}/circu45.pdf"]
    assert (notice.kind, notice.number, notice.dates) == ("circular", "45", ["2026-11-20"])
    assert notice.dte_types == [52]
    assert notice.impact == SiiNotice.Impact.HIGH
    assert notice.classified_by == "reglas"
    assert notice.usage_id is None


def test_page_that_did_not_change_is_not_sent_again(site, source, look):
    site.put(PATH, sii_site.page(FIRST), validators=True)
    look()
    look()
    assert result(source) == "not_modified"
    assert site.asked(PATH)[1]["If-None-Match"] == site.pages[PATH].etag
    assert site.asked(PATH)[1]["If-Modified-Since"].startswith("Fri, 27 Nov")
    look(force=True)
    assert "If-None-Match" not in site.asked(PATH)[2]
    site.put(PATH, sii_site.page(SECOND), validators=True)
    assert look().notices == 1


def test_monitor_says_who_it_is_and_reads_robots_once_a_run(site, source, look):
    site.put(PATH, sii_site.page(FIRST))
    SiiSource.objects.create(slug="otra", name="Otra", url=f"{site.url}{PATH}")
    look()
    assert len(site.asked("/robots.txt")) == 1
    assert all("aiservice-sii-monitor" in headers["User-Agent"] for headers in site.asked(PATH))


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ({"status": 404}, "not_found"),
        ({"status": 500}, "http_error"),
        ({"status": 503}, "http_error"),
        ({"delay": 3}, "timeout"),
        ({"drip": 0.3}, "timeout"),
        ({"endless": True}, "too_large"),
        ({"cut": True}, "unreachable"),
        ({"content_type": "image/png"}, "unreadable"),
        ({"status": 302, "location": "http://evil.example/"}, "off_list"),
        ({"status": 302, "location": "file:///etc/passwd"}, "off_list"),
        ({"status": 302, "location": "http://169.254.169.254/latest"}, "off_list"),
        ({"status": 302, "location": PATH}, "redirects"),
        ({"status": 302}, "http_error"),
    ],
    ids=str,
)
def test_failing_site_says_nothing_and_nothing_is_missed(
    site, source, look, settings, page, expected
):
    settings.SII_MONITOR_MAX_BYTES = 200_000
    site.put(PATH, sii_site.page(FIRST))
    look()
    # What it sends instead is no page of text, or never comes.
    body = b"\x89PNG\r\n" if page.get("content_type") else sii_site.page("<p>Error</p>").encode()
    site.put(PATH, body, **page)
    assert look().errors == 1
    assert result(source) == expected
    assert source.last_detail
    assert not SiiNotice.objects.exists()
    site.put(PATH, sii_site.page(SECOND))
    assert look().notices == 1


@pytest.mark.parametrize(
    "apology",
    [
        "<h1>Sitio en mantención</h1><p>Intente más tarde.</p>",
        "<html><body>The requested URL was rejected. Your support ID is: 1234</body></html>",
        "<h1>Página no encontrada</h1>",
        "<html><body></body></html>",
    ],
)
def test_apology_that_comes_with_200_is_no_page(site, source, look, apology):
    site.put(PATH, sii_site.page(FIRST))
    look()
    site.put(PATH, apology)
    look()
    assert result(source) in ("apology", "unreadable")
    assert not SiiNotice.objects.exists()


def test_moved_page_is_followed_and_said(site, source, look):
    site.put(PATH, sii_site.page(FIRST))
    look()
    site.put(PATH, b"", status=301, location="/nueva.htm")
    site.put("/nueva.htm", sii_site.page(FIRST))
    look()
    assert result(source) == "unchanged"
    assert "/nueva.htm" in source.last_detail
    site.put("/nueva.htm", sii_site.page(SECOND))
    assert look().notices == 1


@pytest.mark.parametrize(
    ("sent", "declared"),
    [
        ("iso-8859-1", "text/html; charset=utf-8"),
        ("utf-8", "text/html; charset=ISO-8859-1"),
        ("iso-8859-1", "text/html"),
        ("cp1252", "text/html; charset=nonsense"),
    ],
)
def test_charset_is_what_was_sent_and_not_what_was_said(site, source, look, sent, declared):
    site.put(PATH, sii_site.page(FIRST))
    look()
    bare = sii_site.page(FIRST).replace('<meta charset="utf-8">', "")
    site.put(PATH, bare, charset=sent, content_type=declared)
    look()
    assert result(source) == "unchanged"


def test_robots_keep_the_monitor_out(site, source, look):
    site.robots = "User-agent: *\nDisallow: /circulares"
    site.put(PATH, sii_site.page(FIRST))
    look()
    assert result(source) == "robots"
    assert not site.asked(PATH)


def test_unknown_robots_keep_it_out_too(site, source, look):
    site.put("/robots.txt", "", status=500)
    look()
    assert result(source) == "robots"


def test_requests_keep_their_distance(site, source, settings):
    settings.SII_MONITOR_PAUSE = 0.2
    site.put(PATH, sii_site.page(FIRST))
    fetcher = Fetcher()
    began = time.monotonic()
    for _ in range(3):
        fetcher.fetch(f"{site.url}{PATH}")
    # Measured here: the site may note its first visitor late.
    assert time.monotonic() - began >= 2 * settings.SII_MONITOR_PAUSE


def test_certificate_that_nobody_trusts_is_an_error(source, look, settings, tmp_path):
    with sii_site.serve(sii_site.certificate(tmp_path / "tls.pem")) as secure:
        SiiSource.objects.update(url=f"{secure.url}{PATH}")
        look()
        assert result(source) == "certificate"
        assert not secure.requests


def test_certificate_is_checked_against_the_name_and_not_the_address(settings, site, tmp_path):
    """The connection goes to the address that was looked at; TLS must still be about the name."""
    path = sii_site.certificate(tmp_path / "tls.pem", names=("localhost",))
    trusting = ssl.create_default_context(cafile=str(path))
    with sii_site.serve(path) as secure:
        secure.put(PATH, "<p>Circular</p>")
        named = secure.url.replace("127.0.0.1", "localhost") + PATH
        assert Fetcher(verify=trusting).fetch(named).status == 200
        with pytest.raises(FetchError) as refused:
            Fetcher(verify=trusting).fetch(secure.url + PATH)
        assert refused.value.result == "certificate"


def test_site_that_is_not_there_is_unreachable(source, look):
    SiiSource.objects.update(url="http://127.0.0.1:9/x.htm")
    look()
    assert result(source) == "unreachable"


def test_private_address_is_refused_outside_tests(source, look, settings):
    settings.SII_MONITOR_LOCAL = False
    SiiSource.objects.update(url="https://localhost/x.htm")
    look()
    assert result(source) == "off_list"
    assert "red privada" in source.last_detail


def test_one_broken_page_does_not_keep_the_others(site, source, look, monkeypatch):
    site.put(PATH, sii_site.page(FIRST))
    site.put("/b.htm", sii_site.page(FIRST))
    SiiSource.objects.create(slug="b", name="B", url=f"{site.url}/b.htm")

    def breaks(body: bytes, content_type: str, url: str) -> str:
        if url.endswith("/b.htm"):
            raise ZeroDivisionError
        return extract(body, content_type, url)

    monkeypatch.setattr("knowledge.monitoring.checking.extract", breaks)
    run = look()
    assert (run.checks, run.errors) == (2, 1)
    assert result(source) == "baseline"


def test_page_that_loses_most_of_its_text_is_believed_the_third_time(site, source, look):
    long = FIRST + "".join(
        f"<p>Circular N° {n} del 3 de marzo de 2026 sobre IVA.</p>" for n in range(20)
    )
    site.put(PATH, sii_site.page(long))
    look()
    site.put(PATH, sii_site.page("<p>Circulares de otros años.</p>"))
    assert [look().notices for _ in range(2)] == [0, 0]
    assert result(source) == "held"
    assert look().notices == 1


def test_old_text_out_of_a_cache_is_not_believed(site, source, look):
    site.put(PATH, sii_site.page(FIRST))
    look()
    site.put(PATH, sii_site.page(SECOND))
    assert look().notices == 1
    stale = sii_site.Page(sii_site.page(FIRST).encode())
    fresh = sii_site.Page(sii_site.page(SECOND).encode())

    class Flapping(dict[str, sii_site.Page]):
        turn = 0

        def get(self, path, default=None):
            if path != PATH:
                return super().get(path, default)
            self.turn += 1
            return stale if self.turn % 2 else fresh

    site.pages = Flapping(site.pages)
    for _ in range(4):
        look()
    assert SiiNotice.objects.count() == 1
    site.pages = {}
    site.put(PATH, sii_site.page(FIRST))
    assert look().notices == 1  # taken back in earnest


def test_new_year_begins_where_the_old_one_ends(site, source, look, monkeypatch):
    day = {"today": date(2026, 12, 31)}
    monkeypatch.setattr("django.utils.timezone.localdate", lambda *a: day["today"])
    SiiSource.objects.update(url=f"{site.url}/{{year}}.htm")
    site.put("/2026.htm", sii_site.page(FIRST))
    look()
    day["today"] = date(2027, 1, 2)
    look()
    assert result(source) == "unchanged"  # there is no page of 2027 yet
    site.put(
        "/2027.htm", sii_site.page("<p>Circular N° 1 del 4 de enero de 2027 sobre boletas.</p>")
    )
    assert look().notices == 1
    added = [line for line in SiiNotice.objects.get().diff.splitlines() if line[0] in "+-"]
    assert added == ["+Circular N° 1 del 4 de enero de 2027 sobre boletas."]
    look()
    assert SiiNotice.objects.count() == 1
