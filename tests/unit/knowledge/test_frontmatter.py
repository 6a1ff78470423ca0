"""Reading knowledge files: what is accepted, what is refused and how that is told."""

from datetime import date

import pytest

from knowledge.frontmatter import MAX_FILE_BYTES, InvalidFileError, dump, parse

pytestmark = pytest.mark.unit

MINIMAL = "---\ntitle: Folios\nmodule: dte\ntags: [caf, folios]\n---\n\nUn folio es un número.\n"


def refusal(text: str | bytes) -> InvalidFileError:
    raw = text.encode() if isinstance(text, str) else text
    with pytest.raises(InvalidFileError) as caught:
        parse(raw, source_path="a/b.md")
    return caught.value


def test_reads_every_field():
    text = (
        '---\ntitle: "Folios: uso"\nmodule: dte\ntags:\n  - caf\n  - 33\nsource: SII, 2024\n'
        "valid_from: 2024-01-01\nvalid_to: 2026-12-31\ndoc_id: folios-1\n---\n# Folios\n\nTexto.\n"
    )
    document = parse(text.encode(), source_path="dte/folios.md")
    assert document.slug == "folios-1"
    assert document.title == "Folios: uso"
    assert document.tags == ("caf", "33")
    assert (document.valid_from, document.valid_to) == (date(2024, 1, 1), date(2026, 12, 31))
    assert document.body == "# Folios\n\nTexto."
    assert document.source_path == "dte/folios.md"


def test_a_document_without_doc_id_is_named_by_its_path():
    assert parse(MINIMAL.encode(), source_path="dte/uso de folios.md").slug == "dte-uso-de-folios"


@pytest.mark.parametrize(
    "raw",
    [
        MINIMAL.replace("número", "numeración").encode("utf-8-sig"),
        MINIMAL.replace("número", "numeración").encode("latin-1"),
        MINIMAL.replace("número", "numeración").replace("\n", "\r\n").encode(),
    ],
    ids=["bom", "latin-1", "crlf"],
)
def test_old_encodings_and_line_ends_give_the_same_document(raw: bytes):
    plain = parse(MINIMAL.replace("número", "numeración").encode(), source_path="x.md")
    assert parse(raw, source_path="x.md") == plain


def test_yaml_words_that_mean_something_stay_text():
    document = parse(
        b"---\ntitle: 010\nmodule: no\ntags: [on, 2024-01-01]\n---\nx", source_path="x.md"
    )
    assert (document.title, document.module, document.tags) == ("010", "no", ("on", "2024-01-01"))


def test_unknown_keys_are_ignored_with_a_warning():
    document = parse(MINIMAL.replace("tags:", "autor: x\ntags:").encode(), source_path="x.md")
    assert document.warnings == ("clave desconocida: autor",)


@pytest.mark.parametrize(
    ("text", "reason", "line"),
    [
        ("# Sin encabezado", "falta el encabezado", 1),
        ("---\nmodule: dte\n---\nx", "falta 'title'", 1),
        ("---\ntitle: x\n---\nx", "falta 'module'", 1),
        ("---\ntitle: x\nmodule: dte\n---\n\n", "no tiene texto", 6),
        ("---\ntitle: [a\nmodule: dte\n---\nx", "no es YAML", 3),
        ("---\ntitle: x\ntitle: y\nmodule: dte\n---\nx", "repetida", 3),
        ("---\n- a\n- b\n---\nx", "clave: valor", 2),
        ("---\ntitle: {a: b}\nmodule: dte\n---\nx", "'title' debe ser un texto", 1),
        ("---\ntitle: x\nmodule: dte\ntags: {a: b}\n---\nx", "'tags' debe ser", 1),
        ("---\ntitle: x\nmodule: dte\nvalid_from: ayer\n---\nx", "AAAA-MM-DD", 1),
        (
            "---\ntitle: x\nmodule: dte\nvalid_from: 2026-01-02\nvalid_to: 2026-01-01\n---\nx",
            "anterior",
            1,
        ),
        ("---\ntitle: x\nmodule: dte\n---\nuno\x00dos", "caracteres de control", 5),
    ],
)
def test_refuses_with_reason_and_line(text: str, reason: str, line: int):
    error = refusal(text)
    assert reason in error.reason
    assert error.line == line


def test_refuses_a_yaml_bomb():
    bomb = "a: &a [x]\n" + "".join(
        f"{b}: &{b} [*{a},*{a},*{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert "alias" in refusal(f"---\ntitle: x\nmodule: y\n{bomb}---\nx").reason


def test_refuses_yaml_nested_without_end():
    assert "YAML" in refusal("---\ntitle: " + "[" * 5_000 + "\n---\nx").reason


@pytest.mark.parametrize(
    "raw",
    [b"\xff\xfe-\x00-\x00", b"---\ntitle: \x81\x8d\n---\nx", b"x" * (MAX_FILE_BYTES + 1)],
    ids=["utf-16", "neither", "huge"],
)
def test_refuses_bytes_that_are_not_a_text_file(raw: bytes):
    assert refusal(raw).line == 1


def test_what_is_dumped_is_read_back_equal():
    document = parse(
        b'---\ntitle: "Uno: dos # tres"\nmodule: dte\ntags: ["no", "33"]\nvalid_to: 2026-01-01\n'
        b"doc_id: uno\n---\n\n# Uno\n\n| a |\n|---|\n| b |\n",
        source_path="x.md",
    )
    assert parse(dump(document).encode(), source_path="x.md") == document


def test_the_hash_sees_every_change_a_reader_sees():
    base = parse(MINIMAL.encode(), source_path="x.md")
    for change in [("Folios", "Folio"), ("dte", "pos"), ("caf,", ""), ("número", "numero")]:
        changed = parse(MINIMAL.replace(*change).encode(), source_path="x.md")
        assert changed.content_hash != base.content_hash
