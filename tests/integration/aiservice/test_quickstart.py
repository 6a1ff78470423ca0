"""What `make run` prepares and says, and that it says it once."""

import io
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from aiservice.management.commands.quickstart import base_url
from knowledge.models import Document
from usage.access.keys import find_key
from usage.models import ApiKey

ROOT = Path(__file__).parents[3]

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


def prepare() -> str:
    output = io.StringIO()
    call_command("quickstart", prepare_only=True, stdout=output)
    return output.getvalue()


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match, text
    return match[1]


def test_first_start_prints_a_key_and_a_login_that_work():
    output = prepare()
    assert find_key(found(r"export KEY=(\S+)", output)).name == "development"
    password = found(r"password (\S+) \(shown once", output)
    assert get_user_model().objects.get(username="admin").check_password(password)
    assert Document.objects.exists()


def test_first_start_links_the_chat_page_with_the_key_in_the_fragment():
    output = prepare()
    key = found(r"export KEY=(\S+)", output)
    assert f"http://127.0.0.1:8000/#key={key}" in output


def test_second_start_makes_nothing_and_says_how_to_get_new_secrets():
    prepare()
    output = prepare()
    assert ApiKey.objects.count() == 1
    assert get_user_model().objects.count() == 1
    assert "manage.py create_api_key" in output
    assert "manage.py changepassword admin" in output


def test_printed_command_works_as_printed_wherever_the_state_is(tmp_path):
    environment = {
        "PATH": os.environ["PATH"],
        "STATE_DIR": str(tmp_path / "a b#c?%20"),
        "PORT": "8123",
    }
    for _ in range(2):
        output = run([sys.executable, "manage.py", "quickstart", "--prepare-only"], environment)
    assert "http://127.0.0.1:8123/" in output
    command = found(r"another one: (.+ create_api_key NAME)", output)
    # As it would be typed into another shell, which knows nothing of the first one's variables.
    assert "ai_" in run(["sh", "-c", command], {"PATH": os.environ["PATH"]})


def run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"no database at all. " * 100, "file is not a database"), (None, "no such table")],
    ids=["other file", "empty"],
)
def test_database_that_is_none_is_said_in_one_line(tmp_path, content, reason):
    path = tmp_path / "file"
    path.write_bytes(content or b"")
    done = subprocess.run(
        [sys.executable, "manage.py", "create_api_key", "NAME"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DATABASE_URL": f"sqlite:///{path}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"The database cannot be used: {reason}")


def test_a_lost_key_is_not_stored_in_clear():
    key = found(r"export KEY=(\S+)", prepare())
    stored = ApiKey.objects.values().get()
    assert key not in map(str, stored.values())


def test_busy_port_is_said_before_anything_is_made(settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings.PORT = taken.getsockname()[1]
        with pytest.raises(
            CommandError, match=r"Address already in use\. .*make run HOST=\S+ PORT=\d+"
        ):
            call_command("quickstart")
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("host", ["999.1.1.1", "192.0.2.1"])
def test_foreign_address_is_said_in_one_line(settings, host):
    settings.HOST = host
    with pytest.raises(CommandError, match=f"Cannot listen on {host}:8000: "):
        call_command("quickstart")


def test_production_is_refused(settings):
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match="development"):
        prepare()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),  # noqa: S104
        ("::1", "http://[::1]:8000"),
    ],
)
def test_guide_names_an_address_that_a_browser_can_open(host, url):
    assert base_url(host, 8000) == url


def test_guide_names_a_sample_document_that_is_there():
    path = Path(django_settings.BASE_DIR, found(r"--data-binary @(\S+)", prepare()))
    assert path.read_bytes().startswith(b"<?xml")
