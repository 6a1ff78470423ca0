"""The idle connection that keeps SQLite from syncing after every request."""

from typing import Any

import pytest
from django.db import connection
from django.db.backends.sqlite3.base import DatabaseWrapper

from aiservice import sqlite

pytestmark = [pytest.mark.unit, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    kept: list[Any] = []
    monkeypatch.setattr(sqlite, "_kept", kept)
    yield kept
    for one in kept:
        one.close()


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "db.sqlite3"
    options = {"init_command": "PRAGMA journal_mode=WAL;"}
    settings = {**connection.settings_dict, "NAME": str(path), "OPTIONS": options}
    return path, lambda: DatabaseWrapper(settings, "default")


def write_and_close(wrapper):
    with wrapper.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS t (n)")
    wrapper.close()


@pytest.mark.parametrize("keeping", [False, True])
def test_the_log_outlives_a_request_only_while_a_connection_is_kept(monkeypatch, database, keeping):
    path, connect = database
    write_and_close(connect())
    if keeping:
        monkeypatch.setattr(sqlite, "connection", connect())
        sqlite.keep_open()
    write_and_close(connect())
    assert path.with_name("db.sqlite3-wal").exists() is keeping


def test_another_database_needs_none(nothing_kept):
    sqlite.keep_open()
    assert nothing_kept == []
