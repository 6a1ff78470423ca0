"""Reading children by local name: the checks accept documents that lost the SII's namespace."""

from lxml import etree


def local(element: etree._Element) -> str:
    """Return the name without its namespace; ``""`` for a comment or processing instruction."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def children(element: etree._Element) -> list[etree._Element]:
    """Return the child elements: no comments, no processing instructions."""
    return list(element.iterchildren("*"))


def child(element: etree._Element | None, *path: str) -> etree._Element | None:
    """Return the first descendant reached by local names, or None."""
    for name in path:
        if element is None:
            return None
        element = next(element.iterchildren("{*}" + name), None)
    return element


def text(element: etree._Element | None, *path: str) -> str:
    """Return the stripped text of the element at ``path``, ``""`` when there is none."""
    found = child(element, *path)
    return (found.text or "").strip() if found is not None else ""
