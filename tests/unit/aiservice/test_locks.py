"""The locks leave pip nothing to decide: what is installed today is installed in two years."""

import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import distribution, distributions
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DIRECT = PROJECT["project"]["dependencies"]
GROUPS = PROJECT["dependency-groups"]


def read(*names: str) -> str:
    return "".join((ROOT / "requirements" / f"{name}.txt").read_text() for name in names)


def applicable(lines: list[str], extras: Iterable[str] = ()) -> Iterator[Requirement]:
    """Yield the requirements that hold for this Python, with these extras of the one that asks."""
    for requirement in map(Requirement, lines):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in {"", *extras}):
            yield requirement


def locked(lock: str) -> dict[str, Requirement]:
    """Return what a lock pins for this Python, by name."""
    lines = [line.removesuffix("\\") for line in lock.splitlines() if line and line[0] not in " #"]
    return {canonicalize_name(pin.name): pin for pin in applicable(lines)}


def missing(lock: str, direct: list[str]) -> set[str]:
    """Return each requirement, of the project or of a locked package, that the lock does not meet."""
    pins = locked(lock)
    asked = [
        (name, applicable(distribution(name).requires or [], pin.extras))
        for name, pin in pins.items()
    ]
    return {
        f"{by}: {requirement}"
        for by, requirements in chain(asked, [("pyproject.toml", applicable(direct))])
        for requirement in requirements
        if not meets(pins.get(canonicalize_name(requirement.name)), requirement)
    }


def meets(pin: Requirement | None, requirement: Requirement) -> bool:
    """Whether a pin is the version asked for and names the extras: pip would seek those elsewhere."""
    if pin is None or not requirement.extras <= pin.extras:
        return False
    [exact] = pin.specifier
    return exact.operator == "==" and requirement.specifier.contains(
        exact.version, prereleases=True
    )


@pytest.mark.parametrize(
    ("locks", "direct"),
    [
        (["base"], DIRECT),
        (["base", "semantic"], DIRECT + GROUPS["semantic"]),
        (["dev"], DIRECT + GROUPS["semantic"] + GROUPS["test"] + GROUPS["lint"]),
    ],
    ids=lambda value: "+".join(value) if len(value) < 3 else "",
)
def test_lock_holds_everything_that_its_packages_ask_for(locks, direct):
    assert missing(read(*locks), direct) == set()


def test_development_adds_to_production_and_changes_nothing_of_it():
    everything = locked(read("dev"))
    for name, pin in locked(read("base", "semantic")).items():
        assert everything[name].specifier == pin.specifier, name


def test_what_is_installed_is_what_is_locked():
    installed: dict[str, str] = {canonicalize_name(d.name): d.version for d in distributions()}
    differing = {
        name: installed.get(name)
        for name, pin in locked(read("dev")).items()
        if not pin.specifier.contains(installed.get(name, "0"), prereleases=True)
    }
    assert differing == {}, "`make test` installs what requirements/dev.txt says"


@pytest.mark.parametrize(
    ("lock", "complaint"),
    [
        # As the lock was on 2026-11-22: pip took the extra from a coverage that appeared later.
        (
            "pytest-cov==7.1.0\ncoverage==7.17.3\npytest==9.2.0\npluggy==1.7.0\n"
            "iniconfig==2.3.1\npackaging==26.3\npygments==2.21.0\n",
            "pytest-cov: coverage[toml]",
        ),
        ("psycopg[pool]==3.3.9\ntyping-extensions==4.16.0\n", "psycopg: psycopg-pool"),
        ("channels==4.3.2\ndjango==5.2.19\nasgiref==3.1.0\nsqlparse==0.5.5\n", "channels: asgiref"),
    ],
    ids=["extra without a line", "requirement of an extra", "version too old"],
)
def test_open_lock_is_found(lock, complaint):
    assert any(line.startswith(complaint) for line in missing(lock, []))
