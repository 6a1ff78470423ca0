"""docs/settings.md tells the truth about aiservice/settings.py."""

import ast
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
REFERENCE = (ROOT / "docs" / "settings.md").read_text().partition("\n## Tests\n")[0]
ROWS = dict(re.findall(r"^\| `([A-Z_]+)` \| (.+?) \|", REFERENCE, re.MULTILINE))
MISSING = object()


def variables() -> dict[str, object]:
    """Return the variables that the settings read, each with its default where that is a literal."""
    found: dict[str, object] = {}
    modules = [ROOT / "aiservice" / name for name in ("settings.py", "database/configuration.py")]
    for node in ast.walk(ast.parse("\n".join(module.read_text() for module in modules))):
        if not (isinstance(node, ast.Call) and node.args and reads_environment(node.func)):
            continue
        name = node.args[0]
        if isinstance(name, ast.Constant):
            defaults = [word.value for word in node.keywords if word.arg == "default"]
            literal = defaults and isinstance(defaults[0], ast.Constant)
            found[str(name.value)] = defaults[0].value if literal else MISSING  # type: ignore[attr-defined]
    return found


def reads_environment(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "env"
    )


def test_reference_lists_exactly_what_the_settings_read():
    assert set(ROWS) == set(variables())


def test_reference_gives_the_defaults_of_the_settings():
    literals = {name: value for name, value in variables().items() if value not in (MISSING, "")}
    assert {name: ROWS[name].strip("`") for name in literals} == {
        name: str(value) for name, value in literals.items()
    }
