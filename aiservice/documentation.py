"""What the API's page says beside what the code knows: descriptions and examples, in operations.yaml.

A docstring speaks to who maintains a view, so none of it is shown; a description given where a view is
declared is. An example is a request that works as it stands, which a test sends to the service.
"""

from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from drf_spectacular.openapi import AutoSchema

_FILE: Final = Path(__file__).with_name("operations.yaml")
_SAMPLES: Final = Path(__file__).parent.parent / "chat" / "static" / "chat" / "samples"


class Schema(AutoSchema):
    """Describes an operation by what it was given to say, and never by its docstring."""

    def get_description(self) -> str:  # type: ignore[override]  # as in the class it extends
        """Say nothing; `complete` adds what the file says."""
        return ""


def complete(result: Any, generator: Any, **kwargs: Any) -> Any:
    """Add descriptions and examples; named in ``SPECTACULAR_SETTINGS``."""
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            known = texts().get(f"{method.upper()} {path}", {})
            if not operation.get("description") and "description" in known:
                operation["description"] = known["description"].strip()
            _add_examples(operation, known)
    for schema in result["components"]["schemas"].values():
        if schema.get("type") == "object":
            schema.pop("description", None)  # a serializer's docstring
    return result


def _add_examples(operation: dict[str, Any], known: dict[str, Any]) -> None:
    content = operation.get("requestBody", {}).get("content", {})
    for kind, body in content.items():
        if "examples" in body or "example" in body:
            continue
        if kind.endswith("/json") and "example" in known:
            body["example"] = known["example"]
        elif kind in ("application/xml", "text/xml", "text/plain") and "file" in known:
            body["example"] = sample(known["file"])
    for parameter in operation.get("parameters", []):
        if parameter["name"] in known.get("parameters", {}):
            parameter["example"] = known["parameters"][parameter["name"]]
    for kind, shown in known.get("answers", {}).items():
        body = operation["responses"].get("200", {}).get("content", {}).get(kind)
        if body is not None:
            body["example"] = shown


@cache
def texts() -> dict[str, Any]:
    """Return the file, by method and path."""
    found: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return found


@cache
def sample(name: str) -> str:
    """Return a document that the page offers to try, in Unicode: its declaration of another encoding goes."""
    text = (_SAMPLES / name).read_text(encoding="iso-8859-1")
    return text.replace('<?xml version="1.0" encoding="ISO-8859-1"?>', '<?xml version="1.0"?>')
