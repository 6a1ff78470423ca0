"""Values that tests of the chat share."""

from knowledge.searching.search import Hit


def hit(**fields: object) -> Hit:
    """A passage found."""
    return Hit(
        **{
            "document_id": "folios",
            "title": "Folios",
            "module": "dte",
            "section": "Sección",
            "content": "Los folios los autoriza el SII.",
            "score": 0.5,
            "source": "Resolución de prueba",
            "source_path": "folios.md",
            "tags": (),
            "version": 1,
            "anchor": "inicio",
            **fields,
        }
    )
