"""The expressions of the trade that are shipped; editors change and add to them in the admin."""

from pathlib import Path
from typing import Final

import yaml

from knowledge.models import Expression
from knowledge.searching import indexing

SHIPPED: Final = Path(__file__).parents[1] / "expressions.yaml"


def read(path: Path = SHIPPED) -> dict[str, str]:
    """Return each expression with its meaning."""
    entries: dict[str, str] = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 - text only
    return entries


def load_shipped() -> int:
    """Add the shipped expressions that the database lacks; those that an editor changed stay.

    Returns:
        How many were added.
    """
    known = set(Expression.objects.values_list("text", flat=True))
    added = Expression.objects.bulk_create(
        Expression(text=text, meaning=meaning)
        for text, meaning in read().items()
        if text not in known
    )
    if added:
        indexing.announce()
    return len(added)
