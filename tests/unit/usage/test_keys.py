from datetime import timedelta

import pytest
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from usage.access.keys import find_key
from usage.access.limits import limiter
from usage.http.metered import MeteredAPIView
from usage.models import ApiKey
from usage.models.api_key import check_networks

pytestmark = [pytest.mark.unit, pytest.mark.django_db]


class Whoami(MeteredAPIView):
    def get(self, request):
        return Response({"key": request.auth.name})


def get_whoami(**headers):
    return Whoami.as_view()(APIRequestFactory().get("/", headers=headers))


def test_a_key_is_found_by_its_secret_and_the_secret_is_stored_nowhere():
    key, secret = ApiKey.objects.issue(name="acme")
    assert find_key(secret) == key
    stored = " ".join(str(v) for v in ApiKey.objects.values_list().get())
    assert secret not in stored
    assert secret.removeprefix(f"ai_{key.prefix}_") not in stored


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "ai",
        "ai_",
        "ai__",
        "nonsense",
        "ai_\x00_x",
        "ai_" + "x" * 500,
        "Bearer ai_x_y",
        "ai_ñ_ñ",
    ],
)
def test_a_secret_of_no_key_is_refused(secret):
    ApiKey.objects.issue(name="acme")
    with pytest.raises(AuthenticationFailed):
        find_key(secret)


def test_the_right_prefix_with_another_secret_is_refused():
    key, secret = ApiKey.objects.issue(name="acme")
    with pytest.raises(AuthenticationFailed):
        find_key(secret[:-1] + ("A" if secret[-1] != "A" else "B"))
    with pytest.raises(AuthenticationFailed):
        find_key(f"ai_{key.prefix}_")


def test_a_revoked_key_is_refused_at_once_and_looks_like_an_unknown_one():
    key, secret = ApiKey.objects.issue(name="acme")
    key.revoke()
    with pytest.raises(AuthenticationFailed) as revoked:
        find_key(secret)
    with pytest.raises(AuthenticationFailed) as unknown:
        find_key("ai_unknown_secret")
    assert str(revoked.value) == str(unknown.value)


def test_revoking_twice_keeps_the_first_date():
    key, _ = ApiKey.objects.issue(name="acme")
    key.revoke()
    first = ApiKey.objects.get().revoked_at
    ApiKey.objects.get().revoke()
    assert ApiKey.objects.get().revoked_at == first


def test_an_expired_key_is_refused_with_its_own_code():
    _, secret = ApiKey.objects.issue(name="acme", expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(AuthenticationFailed) as refusal:
        find_key(secret)
    assert refusal.value.get_codes() == "expired_api_key"


def test_use_is_noted_at_most_once_a_minute(django_assert_num_queries):
    _, secret = ApiKey.objects.issue(name="acme")
    find_key(secret)
    with django_assert_num_queries(1):
        find_key(secret)
    ApiKey.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
    find_key(secret)
    assert (timezone.now() - ApiKey.objects.get().last_used_at).total_seconds() < 60


def test_view_takes_the_key_as_bearer_or_header(api_key):
    key, secret = api_key
    assert get_whoami(Authorization=f"Bearer {secret}").data == {"key": key.name}
    assert get_whoami(Authorization=f"bearer  {secret} ").data == {"key": key.name}
    assert get_whoami(**{"X-Api-Key": secret}).data == {"key": key.name}


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer "}, {"Authorization": "Basic eDp5"}, {"X-Api-Key": "ai_x_y"}],
)
def test_view_without_a_valid_key_answers_401_and_names_the_scheme(headers):
    response = get_whoami(**headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert set(response.data) == {"detail", "code"}


def test_view_answers_json_whatever_the_caller_accepts(api_key):
    response = get_whoami(Authorization=f"Bearer {api_key[1]}", Accept="text/event-stream")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"


def test_command_prints_the_secret_as_its_last_line(capsys):
    call_command("create_api_key", "Odoo de ACME", "--days", "30")
    secret = capsys.readouterr().out.splitlines()[-1]
    key = find_key(secret)
    assert key.name == "Odoo de ACME"
    assert timedelta(days=29) < key.expires_at - timezone.now() <= timedelta(days=30)


@pytest.mark.parametrize("arguments", [[" "], ["x" * 101], ["acme", "--days", "0"]])
def test_command_refuses_a_bad_name_or_term(arguments):
    with pytest.raises(CommandError):
        call_command("create_api_key", *arguments)
    assert not ApiKey.objects.exists()


def test_permission_is_the_default_and_can_be_opened_by_a_view():
    class Open(Whoami):
        permission_classes = [AllowAny]

        def get(self, request):
            return Response({"auth": request.auth})

    assert Open.as_view()(APIRequestFactory().get("/")).data == {"auth": None}


def test_a_rotated_key_is_opened_by_both_secrets_for_a_while(api_key, api_client):
    key, old = api_key
    new = key.rotate(timedelta(hours=1))
    assert find_key(old) == find_key(new) == key
    ApiKey.objects.update(old_until=timezone.now() - timedelta(seconds=1))
    assert find_key(new) == key
    with pytest.raises(AuthenticationFailed):
        find_key(old)


def test_a_key_is_refused_outside_its_networks(api_key, api_client):
    ApiKey.objects.update(networks="10.0.0.0/8\n2001:db8::1")
    refused = api_client.get("/api/usage")
    assert (refused.status_code, refused.json()["code"]) == (403, "network_not_allowed")
    assert api_client.get("/api/usage", REMOTE_ADDR="10.1.2.3").status_code == 200
    assert api_client.get("/api/usage", REMOTE_ADDR="2001:db8::1").status_code == 200
    assert api_client.get("/api/usage", REMOTE_ADDR="2001:db8::2").status_code == 403


def test_a_network_that_is_none_is_refused_in_words():
    with pytest.raises(ValidationError, match="no es una dirección ni una red"):
        check_networks("10.0.0.0/99")


def test_a_key_s_own_rate_stands_in_for_the_general_one(api_key, api_client, settings):
    settings.RATE_LIMIT_PER_MINUTE, settings.RATE_LIMIT_BURST = 6, 1
    answers = [api_client.get("/api/usage").status_code for _ in range(6)]
    assert answers == [200] * 5 + [429]  # reads may come five times as often
    limiter.forget()
    cache.clear()
    ApiKey.objects.update(rate_per_minute=600)
    answers = [api_client.get("/api/usage") for _ in range(12)]
    assert {answer.status_code for answer in answers} == {200}
    assert answers[-1]["RateLimit-Policy"].startswith("3000;")
