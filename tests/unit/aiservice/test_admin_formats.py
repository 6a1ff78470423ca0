"""How the admin writes dates: short, in the order that Chile reads, and as people type them."""

from datetime import UTC, date, datetime

import pytest
from django import forms
from django.utils import formats, translation

from knowledge.admin.evaluations import percent

pytestmark = pytest.mark.unit


def test_dates_are_short_enough_for_a_column():
    with translation.override("es-cl"):
        assert formats.localize(datetime(2026, 11, 2, 9, 5, tzinfo=UTC)) == "02-11-2026 09:05"
        assert formats.localize(date(2026, 11, 2)) == "02-11-2026"


@pytest.mark.parametrize("typed", ["02-11-2026", "02/11/2026", "2026-11-02"])
def test_dates_are_read_as_people_type_them(typed):
    with translation.override("es-cl"):
        assert forms.DateField().clean(typed) == date(2026, 11, 2)


def test_a_share_is_rounded_and_not_cut_off():
    with translation.override("es-cl"):
        assert percent(0.98858) == "98,9 %"
