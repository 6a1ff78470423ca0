"""The owner of the bill, who enters the admin with a browser."""

from typing import Final

from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

NAME: Final = "duena"
PASSWORD: Final = "correct horse battery staple"  # of no real account


def create_owner() -> User:
    return User.objects.create_superuser(NAME, password=PASSWORD)


def log_in(page: Page, url: str) -> None:
    page.goto(f"{url}/admin/")
    page.locator("input[name=username]").fill(NAME)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("#login-form button[type=submit]").click()
    expect(page).to_have_url(f"{url}/admin/")
