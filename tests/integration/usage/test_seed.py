"""The command that fills a database for load tests still knows the tables."""

import os
import subprocess
import sys
from uuid import uuid4

import psycopg
import pytest
from django.db import connection

pytestmark = pytest.mark.integration

SIZES = ("--usage=2000", "--validations=200", "--conversations=50")
COUNTS = """
    SELECT (SELECT count(*) FROM usage_usagerecord), (SELECT count(*) FROM dte_validation),
           (SELECT count(*) FROM chat_conversation)
"""


def test_a_database_is_filled():
    name = f"seeded_{uuid4().hex}"
    server = {"host": connection.settings_dict["HOST"], "user": connection.settings_dict["USER"]}
    with psycopg.connect(**server, dbname="postgres", autocommit=True) as created:
        created.execute(f"CREATE DATABASE {name}")
    url = f"postgres://{server['user']}@/{server['host']}/{name}"
    subprocess.run(
        [sys.executable, "-m", "tests.load.seed", *SIZES],
        env=os.environ | {"DATABASE_URL": url},
        check=True,
    )
    with psycopg.connect(**server, dbname=name) as filled:
        counted = filled.execute(COUNTS).fetchone()
    assert counted == (2000, 200, 50)
