"""What a JSON body may hold in place of what its schema says: nothing else."""

from typing import Any

import pytest
from django.http import QueryDict
from rest_framework import serializers

from usage.http.strict import StrictSerializer

pytestmark = pytest.mark.unit


class Inner(StrictSerializer):
    role = serializers.ChoiceField(["user"])


class Body(StrictSerializer):
    text = serializers.CharField(required=False, allow_null=True)
    whole = serializers.IntegerField(required=False)
    share = serializers.FloatField(required=False)
    flag = serializers.BooleanField(required=False)
    codes = serializers.ListField(child=serializers.CharField(), required=False)
    inner = Inner(required=False)
    turns = serializers.ListField(child=Inner(), required=False)
    free = serializers.JSONField(required=False)


FITTING = [
    {"text": "0", "whole": 3, "share": 1, "flag": False, "codes": ["a"], "free": 0},
    {"text": None, "share": 0.5, "inner": {"role": "user"}, "turns": [{"role": "user"}]},
    {},
]
WRONG = [
    ({"text": 0}, "text"),
    ({"text": True}, "text"),
    ({"whole": "3"}, "whole"),
    ({"whole": True}, "whole"),
    ({"whole": 0.5}, "whole"),
    ({"share": "0.5"}, "share"),
    ({"flag": 1}, "flag"),
    ({"flag": "true"}, "flag"),
    ({"codes": ["a", 3]}, "codes"),
    ({"inner": {"role": 1}}, "inner"),
    ({"turns": [{"role": 1}]}, "turns"),
]


@pytest.mark.parametrize("body", FITTING)
def test_what_fits_is_read(body):
    form = Body(data=body)
    assert form.is_valid(), form.errors
    assert form.validated_data == body


@pytest.mark.parametrize(("body", "field"), WRONG)
def test_what_does_not_is_refused_by_its_field(body, field):
    form = Body(data=body)
    assert not form.is_valid()
    assert list(form.errors) == [field]


def test_a_query_is_text_all_over():
    assert Body(data=QueryDict("text=a&whole=3&flag=true")).is_valid()


def test_what_one_body_brought_is_not_in_the_next():
    first = Body(data={"text": "a", "codes": ["b"], "turns": [{"role": "user"}]})
    assert first.is_valid()
    wrong = Body(data={"codes": [3]})
    assert not wrong.is_valid()
    last = Body(data={"whole": 1})
    assert last.is_valid()
    assert last.validated_data == {"whole": 1}
    assert first.validated_data == {"text": "a", "codes": ["b"], "turns": [{"role": "user"}]}
    assert list(wrong.errors) == ["codes"]


class Short(StrictSerializer):
    text = serializers.CharField(max_length=3)


class ShortOfDrf(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=3)


@pytest.mark.parametrize("text", ["abc", "  abc  ", "abcd", " abcd ", "a" * 1000])
def test_a_text_is_as_long_as_drf_says(text):
    ours, theirs = Short(data={"text": text}), ShortOfDrf(data={"text": text})
    assert ours.is_valid() == theirs.is_valid()
    assert ours.errors == theirs.errors


def test_a_text_that_is_too_long_is_not_looked_through(monkeypatch):
    def look(*_):
        raise AssertionError("looked at every letter")

    monkeypatch.setattr(
        "rest_framework.validators.ProhibitSurrogateCharactersValidator.__call__", look
    )
    assert not Short(data={"text": "a" * 1000}).is_valid()
