"""Where a login leads."""

import pytest

pytestmark = [pytest.mark.unit, pytest.mark.django_db]


def test_a_login_without_a_destination_leads_to_the_admin(client, django_user_model):
    django_user_model.objects.create_superuser("jefa", password="la clave buena")

    answer = client.post("/admin/login/", {"username": "jefa", "password": "la clave buena"})

    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/")
