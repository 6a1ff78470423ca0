"""The pages that are watched at first; the admin changes them, and what is taken away stays away."""

from django.db import migrations

SITE = "https://www.sii.cl"
SOURCES = [
    ("normativa-fe", "Normativa de factura electrónica", "/factura_electronica/normativa.htm", "otro"),
    ("circulares", "Circulares del año", "/normativa_legislacion/circulares/{year}/indcir{year}.htm", "circular"),
    ("resoluciones", "Resoluciones del año", "/normativa_legislacion/resoluciones/{year}/res_ind{year}.htm", "resolucion"),
    (
        "preguntas-frecuentes",
        "Preguntas frecuentes de factura electrónica",
        "/preguntas_frecuentes/factura_electronica/arbol_factura_electronica_2349.htm",
        "faq",
    ),
    ("formato-dte", "Formato XML de los DTE", "/factura_electronica/formato_xml.htm", "formato"),
]


def create(apps, schema_editor):
    source = apps.get_model("knowledge", "SiiSource")
    for slug, name, path, kind in SOURCES:
        source.objects.get_or_create(
            slug=slug, defaults={"name": name, "url": SITE + path, "kind": kind}
        )


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0004_sii_monitor")]

    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
