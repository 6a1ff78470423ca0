"""Each value is read as it was meant, or refused in a sentence that names the variable."""

from decimal import Decimal
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from aiservice.database.configuration import database
from aiservice.environment import Environment

pytestmark = pytest.mark.unit


def given(value: str) -> Environment:
    return Environment({"NAME": value})


READ = [
    ("text", {}, "$ecret", "$ecret"),
    ("text", {}, " trailing\n", "trailing"),
    ("text", {"default": "mymaster"}, "", "mymaster"),
    ("choice", {}, "INFO", "INFO"),
    ("choice", {}, "debug", "DEBUG"),
    ("choice", {"default": "INFO"}, " ", "INFO"),
    ("flag", {"default": False}, "Yes", True),
    ("flag", {"default": True}, "off", False),
    ("flag", {"default": True}, "", True),
    ("integer", {"default": 60}, "", 60),
    ("integer", {"default": 60}, " 8\n", 8),
    ("integer", {"default": 60}, "0", 0),
    ("seconds", {"default": 5}, "0.5", 0.5),
    ("seconds", {"default": 5}, "", 5),
    ("dollars", {"default": "10"}, "$25", Decimal(25)),
    ("dollars", {"default": "10"}, "US$25.50", Decimal("25.50")),
    ("dollars", {"default": "10"}, "", None),
    ("dollars", {"default": "10"}, "0", Decimal(0)),
    ("words", {}, "a, b,,c\n", ["a", "b", "c"]),
    ("words", {}, "a\nb\n", ["a", "b"]),
    ("words", {}, "9:/my keys/a.pem", ["9:/my keys/a.pem"]),
    ("words", {"default": ["x"]}, "", ["x"]),
    ("served_names", {}, "a.cl, b.cl\n", ["a.cl", "b.cl"]),
    ("served_names", {}, "*,.dte.cl,[::1],127.0.0.1", ["*", ".dte.cl", "[::1]", "127.0.0.1"]),
    ("origins", {}, "https://a.cl/, http://b:81", ["https://a.cl", "http://b:81"]),
    ("host", {"default": "127.0.0.1"}, "[::1]", "::1"),
    ("host", {"default": "127.0.0.1"}, "localhost", "localhost"),
    ("addresses", {"port": 26379}, "s1:1, s_2\n", [("s1", 1), ("s_2", 26379)]),
    (
        "addresses",
        {"port": 26379},
        "[::1]:1, [::2], ::3",
        [("::1", 1), ("::2", 26379), ("::3", 26379)],
    ),
    ("url", {}, "redis://:p@h:6379/0", "redis://:p@h:6379/0"),
    ("url", {}, "unix:///run/redis.sock", "unix:///run/redis.sock"),
    ("url", {"default": "redis://h"}, "", "redis://h"),
    ("database", {}, "", None),
]
WORDS = {"choice": ("DEBUG", "INFO"), "url": ("redis", "unix")}


@pytest.mark.parametrize(("kind", "options", "value", "meant"), READ)
def test_value_is_read_as_it_was_meant(kind, options, value, meant):
    read = getattr(given(value), kind)("NAME", *WORDS.get(kind, ()), **options)
    assert read == meant
    assert type(read) is type(meant) or kind == "seconds"


REFUSED = [
    ("choice", {}, "verbose", "DEBUG or INFO, not 'verbose'"),
    ("flag", {"default": False}, "ture", "true or false, not 'ture'"),
    ("integer", {"default": 1, "low": 1, "high": 65535}, "abc", "from 1 to 65535, not 'abc'"),
    ("integer", {"default": 1, "low": 1}, "0", "of at least 1, not '0'"),
    ("integer", {"default": 1, "high": 9}, "10", "from 0 to 9, not '10'"),
    ("integer", {"default": 1}, "1.5", "a whole number"),
    ("seconds", {"default": 1}, "nan", "a number of seconds"),
    ("seconds", {"default": 1}, "inf", "a number of seconds"),
    ("seconds", {"default": 1, "low": 0.01}, "0", "from 0.01 to 86400"),
    ("seconds", {"default": 1}, "5m", "a number of seconds"),
    ("dollars", {"default": "1"}, "ten", "an amount of US dollars"),
    ("dollars", {"default": "1"}, "-1", "an amount of US dollars"),
    ("dollars", {"default": "1"}, "nan", "an amount of US dollars"),
    ("dollars", {"default": "1"}, "1,000", "an amount of US dollars"),
    ("served_names", {}, "a.cl, https://b.cl", "without scheme, port or path, not 'https://b.cl'"),
    ("served_names", {}, "a.cl:8000", "without scheme, port or path"),
    ("served_names", {}, "a.cl b.cl", "separated by commas"),
    ("origins", {}, "dte.example.cl", "origins such as https://dte.example.cl"),
    ("origins", {}, "https://a.cl/admin", "origins such as"),
    ("host", {"default": "::"}, "127.0.0.1:80", "without a port"),
    ("host", {"default": "::"}, "a=b", "an IP address or a host name"),
    ("addresses", {"port": 1}, "s1:x", "addresses such as redis-1:26379 or [::1]:26379"),
    ("addresses", {"port": 1}, "s1:70000", "addresses such as"),
    ("addresses", {"port": 1}, "s1 s2", "addresses such as"),
    ("addresses", {"port": 1}, "[nonsense!]:1", "addresses such as"),
    ("addresses", {"port": 1}, "redis://s1:1", "addresses such as"),
    ("url", {}, "localhost:6379", "an address that begins with redis:// or unix://"),
    ("url", {}, "redis://h:port", "an address that begins with"),
    ("url", {}, "redis://[::1", "an address that begins with"),
    ("database", {}, "dte", "postgres://user:password@host:5432/name or sqlite:"),
    ("database", {}, "mysql://h/n", "postgres://"),
    ("database", {}, "postgres://h:port/n", "postgres://"),
    ("database", {}, "postgres://u:p@h", "it names no database"),
    ("directory", {"default": Path("/")}, __file__, "the path of a directory"),
    ("directory", {"default": Path("/")}, f"{__file__}/below", "is a file"),
]


@pytest.mark.parametrize(("kind", "options", "value", "takes"), REFUSED)
def test_value_without_a_meaning_is_refused(kind, options, value, takes):
    with pytest.raises(ImproperlyConfigured, match=r"^NAME takes .*\.$") as refusal:
        getattr(given(value), kind)("NAME", *WORDS.get(kind, ()), **options)
    assert takes in str(refusal.value)


@pytest.mark.parametrize("kind", ["url", "database"])
def test_refusal_does_not_repeat_what_may_be_a_password(kind):
    with pytest.raises(ImproperlyConfigured) as refusal:
        getattr(given("psql://u:hunter2@h:port/n"), kind)("NAME")
    assert "hunter2" not in str(refusal.value)


def test_file_stands_for_its_content(tmp_path):
    path = tmp_path / "secret"
    path.write_text("$ecret\r\n")
    assert Environment({"NAME": "other", "NAME_FILE": f" {path} "}).text("NAME") == "$ecret"


def test_empty_name_of_a_file_is_none():
    assert Environment({"NAME": "value", "NAME_FILE": ""}).text("NAME") == "value"


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["absent", "no text"])
def test_file_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImproperlyConfigured, match=r"^NAME_FILE takes the path of a .*secret'\.$"):
        Environment({"NAME_FILE": str(path)}).text("NAME")


def test_directory_is_made_later_and_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert given("state/here").directory("NAME", default=Path("/")) == tmp_path / "state/here"


def test_what_the_url_of_sqlite_asks_for_is_heard(tmp_path):
    url = f"sqlite:///{tmp_path}/db.sqlite3?timeout=5"
    config = database(Environment({"DATABASE_URL": url}), tmp_path, production=False)
    assert config["NAME"] == f"{tmp_path}/db.sqlite3"
    assert config["OPTIONS"]["timeout"] == 5
    assert config["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
