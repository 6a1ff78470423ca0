"""Logins by OpenID Connect, against an issuer that the test serves."""

import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.contrib.auth.models import Group, User

from aiservice import groups, oidc

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

CALLBACK = "/admin/oidc/callback/"


class Issuer:
    """An issuer with one key; what it says of people is `claims`."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.claims = {"sub": "1", "email": "ana@acme.cl", "email_verified": True}
        self.token_claims: dict[str, object] = {}
        self.asked: dict[str, str] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _token(self):
        now = int(time.time())
        claims = {"iss": self.url, "aud": "aiservice", "sub": "1", "iat": now, "exp": now + 60}
        claims |= {"nonce": self.asked["nonce"]} | self.token_claims
        return jwt.encode(claims, self.key, "RS256", headers={"kid": "k"})

    def _jwks(self):
        numbers = self.key.public_key().public_numbers()
        n, e = (
            urlsafe_b64encode(x.to_bytes((x.bit_length() + 7) // 8)).rstrip(b"=").decode()
            for x in (numbers.n, numbers.e)
        )
        return {"keys": [{"kty": "RSA", "kid": "k", "alg": "RS256", "use": "sig", "n": n, "e": e}]}

    def _handler(issuer):  # noqa: N805  # the handler's own self is another
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                url = urlsplit(self.path)
                if url.path == oidc.DESCRIPTION:
                    names = {"authorization_endpoint": "a", "token_endpoint": "t"}
                    names |= {"userinfo_endpoint": "u", "jwks_uri": "k"}
                    found = {name: f"{issuer.url}/{end}" for name, end in names.items()}
                    self._say({"issuer": issuer.url, **found})
                elif url.path == "/a":
                    issuer.asked = {name: v[0] for name, v in parse_qs(url.query).items()}
                    back = urlencode({"code": "c", "state": issuer.asked["state"]})
                    self.send_response(302)
                    self.send_header("Location", f"{issuer.asked['redirect_uri']}?{back}")
                    self.end_headers()
                elif url.path == "/u":
                    self._say(issuer.claims)
                else:
                    self._say(issuer._jwks())

            def do_POST(self):
                sent = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                assert sent["code_verifier"]
                self._say({"access_token": "x", "id_token": issuer._token()})

            def _say(self, body):
                content = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args):
                pass

        return Handler


@pytest.fixture
def issuer(settings) -> Iterator[Issuer]:
    made = Issuer()
    settings.OIDC_ISSUER = made.url
    settings.OIDC_RP_CLIENT_ID, settings.OIDC_RP_CLIENT_SECRET = "aiservice", "secret"
    settings.AUTHENTICATION_BACKENDS = [
        *settings.AUTHENTICATION_BACKENDS, "aiservice.oidc.Backend"
    ]  # fmt: skip
    groups.ensure()
    yield made
    made.server.shutdown()
    made.server.server_close()


def log_in(client):
    """Go the way of a browser."""
    assert "Ingresar con su organización" in client.get("/admin/login/").content.decode()
    sent = client.get("/admin/oidc/", {"next": "/admin/"})
    assert sent.status_code == 302
    back = urlsplit(httpx2.get(sent["Location"], trust_env=False).headers["Location"])
    assert back.path == CALLBACK
    return client.get(CALLBACK, dict(parse_qs(back.query)))


def test_somebody_of_one_of_our_groups_gets_in_and_sees_what_is_hers(client, issuer):
    issuer.claims |= {"groups": ["Finanzas", "Otra"], "given_name": "Ana"}
    answer = log_in(client)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
    ana = User.objects.get(email="ana@acme.cl")
    assert [group.name for group in ana.groups.all()] == ["Finanzas"]
    assert client.get("/admin/").status_code == 200
    assert client.get("/admin/usage/budget/").status_code == 200
    assert client.get("/admin/chat/conversation/").status_code == 403
    issuer.claims["groups"] = ["Operadores"]
    client.logout()
    log_in(client)
    assert client.get("/admin/chat/conversation/").status_code == 200
    assert client.get("/admin/usage/budget/").status_code == 403
    issuer.claims["groups"] = []
    client.logout()
    log_in(client)
    assert client.get("/admin/").status_code == 302


def test_a_known_person_keeps_what_she_had_where_the_issuer_says_nothing(client, issuer):
    known = User.objects.create_user("ana", email="Ana@acme.cl", is_staff=True)
    known.groups.add(Group.objects.get(name="Operadores"))
    log_in(client)
    assert client.get("/admin/chat/conversation/").status_code == 200
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("claims", "token"),
    [
        ({}, {}),  # nobody knows her, and no group is hers
        ({"groups": ["Finanzas"], "email_verified": False}, {}),
        ({"groups": ["Finanzas"]}, {"aud": "another"}),
        ({"groups": ["Finanzas"]}, {"iss": "http://127.0.0.1:1"}),
        ({"groups": ["Finanzas"]}, {"nonce": "another"}),
        ({"groups": ["Finanzas"]}, {"exp": 1}),
    ],
)
def test_anybody_else_is_sent_back_with_a_word(client, issuer, claims, token):
    issuer.claims |= claims
    issuer.token_claims = token
    answer = log_in(client)
    assert answer["Location"] == "/admin/login/"
    assert "No se pudo ingresar" in client.get("/admin/login/").content.decode()
    assert not User.objects.exists()


def test_a_forged_state_is_refused(client, issuer):
    client.get("/admin/oidc/")
    answer = client.get(CALLBACK, {"code": "c", "state": "forged"})
    assert answer["Location"] == "/admin/login/"


def test_an_issuer_that_is_away_does_not_keep_passwords_out(client, issuer):
    issuer.server.shutdown()
    issuer.server.server_close()
    assert client.get("/admin/oidc/")["Location"] == "/admin/login/"
    User.objects.create_superuser("root", password="correct horse battery")
    sent = {"username": "root", "password": "correct horse battery"}
    assert client.post("/admin/login/?next=/admin/", sent)["Location"] == "/admin/"


def test_without_an_issuer_there_is_no_such_page(client):
    assert client.get("/admin/oidc/").status_code == 404
    assert "organización" not in client.get("/admin/login/").content.decode()
