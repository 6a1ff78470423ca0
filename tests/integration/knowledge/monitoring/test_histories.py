"""Long histories: fifty versions of a page, and a day of a site that fails."""

import random

import pytest

from knowledge.models import SiiNotice, SiiSource
from tests import sii_site
from tests.integration.knowledge.monitoring.test_looks import PATH

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

SUBJECTS = (
    "plazos de la guía de despacho",
    "retención de cambio de sujeto",
    "representación impresa de la boleta",
    "registro de compras y ventas",
    "cesión de facturas electrónicas",
)


class Publisher:
    """The content of a page, changed as an authority changes it."""

    def __init__(self) -> None:
        self.items = [self.item(number) for number in range(1, 9)]
        self.question = "El plazo para anular una boleta es de 30 días."
        self.code = "Código 14: IVA de margen de comercialización"

    def item(self, number: int) -> str:
        subject = SUBJECTS[number % len(SUBJECTS)]
        return f"Circular N° {number} del {number % 28 + 1} de marzo de 2026 | Imparte instrucciones sobre {subject}."

    def html(self, style: int) -> str:
        """Write the same content in one of several ways."""
        rows = [item.split(" | ") for item in self.items]
        if style % 3 == 0:
            cells = "".join(f"<tr><td>{a}</td><td><p>{b}</p></td></tr>" for a, b in rows)
            listed = f"<table><tr><th>Norma</th><th>Materia</th></tr>{cells}</table>"
        elif style % 3 == 1:
            cells = "\n".join(f"<tr class='x'>\n<td> {a} </td>\n<td>{b}</td></tr>" for a, b in rows)
            listed = f"<table border=1><tbody><tr><th>Norma<th>Materia</tr>{cells}</tbody></table>"
        else:
            cells = "".join(
                f"<tr><td><b>{a}</b></td><td><span>{b}</span></td></tr>" for a, b in reversed(rows)
            )
            listed = f"<table><tr><th>Norma</th><th>Materia</th></tr>{cells}</table>"
        return f"{listed}<h2>Consulta</h2><p>{self.question}</p>\n<p>{self.code}</p>"

    def change(self, turn: int) -> str:
        """Change something, and return words that the diff must hold."""
        kind = turn % 5
        if kind == 0:
            self.items.insert(0, self.item(100 + turn))
            return f"Circular N° {100 + turn} "
        if kind == 1:
            self.question = f"El plazo para anular una boleta es de {turn} días."
            return f"{turn} días"
        if kind == 2:
            return f"-{self.items.pop(1 + turn % 4)}"
        if kind == 3:  # only a date, of the thing itself
            norm, subject = self.items[0].split(" | ")
            self.items[0] = (
                f"{norm.partition(' del ')[0]} del {turn % 28 + 1} de abril de 2026 | {subject}"
            )
            return f"{turn % 28 + 1} de abril"
        self.code = f"Código {20 + turn}: impuesto adicional, tasa {turn},5 %"
        return f"{turn},5 %"


def test_fifty_versions_each_real_change_once_and_no_noise(site, source, look):
    publisher, expected = Publisher(), []
    site.put(PATH, sii_site.page(publisher.html(0)))
    look()
    for turn in range(1, 51):
        if turn % 2:
            expected.append(publisher.change(turn))
        site.put(PATH, sii_site.page(publisher.html(turn), turn=turn))
        run = look()
        assert run.notices == turn % 2, (turn, SiiNotice.objects.order_by("-pk").first())
    told = list(SiiNotice.objects.order_by("pk"))
    assert len(told) == len(expected) == 25
    for notice, words in zip(told, expected, strict=True):
        changed = "\n".join(line for line in notice.diff.splitlines() if line[0] in "+-")
        assert words in changed
        assert "Campaña" not in notice.diff
        assert "Visitas" not in notice.diff


FAULTS = (
    {"status": 500},
    {"status": 503},
    {"status": 404},
    {"cut": True},
    {"status": 302, "location": "http://example.com/"},
    {"content_type": "image/gif"},
    {"status": 403},
)
APOLOGIES = ("<h1>Sitio en mantención</h1>", "<p>Request Rejected. Support ID: 99</p>", " ")


@pytest.mark.slow
def test_a_day_of_a_failing_site_misses_nothing_and_repeats_nothing(site, source, look):
    """Every 15 minutes for 24 hours, on three pages; a third of the answers are faults."""
    chance = random.Random(18)
    pages = {}
    for number, path in enumerate((PATH, "/faq.htm", "/resoluciones.htm")):
        pages[path] = Publisher()
        if number:
            SiiSource.objects.create(slug=f"s{number}", name=path, url=f"{site.url}{path}")
        site.put(path, sii_site.page(pages[path].html(0)), validators=bool(number))
    look()
    changed = dict.fromkeys(pages, 0)
    pending = dict.fromkeys(pages, False)
    for turn in range(1, 97):
        for path, publisher in pages.items():
            if not pending[path] and chance.random() < 0.12:
                publisher.change(turn)
                changed[path] += 1
                pending[path] = True
            content = sii_site.page(publisher.html(turn), turn=turn)
            roll = chance.random()
            if roll < 0.25:
                fault = chance.choice(FAULTS)
                body = b"GIF89a" if "content_type" in fault else content.encode()
                site.put(path, body, **fault)
            elif roll < 0.33:
                site.put(path, chance.choice(APOLOGIES))
            else:
                latin = chance.random() < 0.3
                site.put(
                    path,
                    content.replace('<meta charset="utf-8">', "") if latin else content,
                    charset="iso-8859-1" if latin else "utf-8",
                    validators=path != PATH,
                )
                pending[path] = False  # this look will see it
        look(force=chance.random() < 0.05)
    for path, publisher in pages.items():
        site.put(path, sii_site.page(publisher.html(97), turn=97))
    look()
    assert sum(changed.values()) > 15
    for path, count in changed.items():
        told = SiiNotice.objects.filter(source__url=f"{site.url}{path}")
        assert told.count() == count, path
    prints = SiiNotice.objects.values_list("source", "fingerprint")
    assert len(set(prints)) == len(prints)
    assert SiiSource.objects.get(slug="circulares").errors > 10
