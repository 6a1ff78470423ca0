"""A site, a source on it, and a way to look at it once."""

from collections.abc import Callable, Iterator

import pytest

from knowledge.models import SiiRun, SiiSource
from knowledge.monitoring import running
from tests.sii_site import Site, serve


@pytest.fixture
def site(settings) -> Iterator[Site]:
    settings.SII_MONITOR_HOSTS = ["127.0.0.1", "localhost"]
    settings.SII_MONITOR_LOCAL = True
    settings.SII_MONITOR_PAUSE = 0
    settings.SII_MONITOR_TIMEOUT = 1
    settings.ANTHROPIC_API_KEY = ""
    with serve() as running_site:
        yield running_site


@pytest.fixture
def source(site: Site, request: pytest.FixtureRequest) -> SiiSource:
    needs = "transactional_db" if "transactional_db" in request.fixturenames else "db"
    request.getfixturevalue(needs)
    SiiSource.objects.all().delete()  # those that a migration has made
    return SiiSource.objects.create(
        slug="circulares", name="Circulares", url=f"{site.url}/circulares.htm", kind="circular"
    )


@pytest.fixture
def look(monkeypatch) -> Callable[..., SiiRun]:
    """Run the monitor once, and return what it counted; deliveries are made in this thread."""
    monkeypatch.setattr("knowledge.monitoring.running.Courier", QuietCourier)

    def once(*, force: bool = False) -> SiiRun:
        run = running.acquire(force=force)
        running.run(run)
        run.refresh_from_db()
        return run

    return once


class QuietCourier:
    """Stands in for the thread where a test lives in one transaction."""

    def start(self) -> None: ...
    def wake(self) -> None: ...
    def finish(self) -> None: ...
