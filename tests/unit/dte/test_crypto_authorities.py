"""Trust is configured once, and a mistake in it stops the process at its start."""

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from tests.factories.stamp import authority_key

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DTE_CAF_AUTHORITY_KEYS", ["999:/does/not/exist.pem"]),
        ("DTE_CAF_AUTHORITY_KEYS", ["no number"]),
        ("DTE_TRUSTED_CERTIFICATES", "/does/not/exist.pem"),
    ],
)
def test_a_wrong_setting_stops_the_start(settings, name, value):
    setattr(settings, name, value)
    with pytest.raises(ImproperlyConfigured, match=name):
        apps.get_app_config("dte").ready()


def test_the_usual_settings_do_not(settings, tmp_path):
    apps.get_app_config("dte").ready()
    path = tmp_path / "key.pem"
    path.write_bytes(authority_key().pem())
    settings.DTE_CAF_AUTHORITY_KEYS = [f"999:{path}"]
    apps.get_app_config("dte").ready()
