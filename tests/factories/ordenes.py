"""150 documents received and the orders open at the time: fifteen situations at ten suppliers.

Descriptions of an order and of its document differ as buyers and sellers write them. Each case says
which order a person would choose; None where a person would choose none.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple


class Product(NamedTuple):
    ordered: str
    """As the buyer writes it."""
    billed: str
    """As the seller writes it."""
    price: int
    quantity: int


@dataclass(frozen=True)
class Supplier:
    name: str
    rut: str
    products: tuple[Product, ...]


@dataclass(frozen=True)
class Case:
    """One request and what must be answered."""

    name: str
    body: dict[str, object]
    expected: int | None


def _supplier(name: str, rut: str, *products: tuple[str, str, int, int]) -> Supplier:
    return Supplier(name, rut, tuple(Product(*product) for product in products))


SUPPLIERS = (
    _supplier(
        "Ferretería El Yunque Limitada",
        "76543210-3",
        ("Tornillo madera 6 x 2 pulgadas", "TORNILLO MADERA 6X2\"", 35, 1000),
        ("Fierro estriado 8 mm tira 6 m", "Fe estriado 8 mm x 6 mts", 3890, 120),
        ("Fierro estriado 12 mm tira 6 m", "Fe estriado 12 mm x 6 mts", 8450, 60),
        ("Cemento Portland saco 25 kg", "CEMENTO PORTLAND 25 KG", 4190, 80),
        ("Disco de corte 4 1/2 metal", "Disco corte metal 4 1/2", 1250, 50),
        ("Guante cabritilla talla L", "GUANTES CABRITILLA L", 2990, 40),
    ),
    _supplier(
        "Distribuidora de Papeles Ñuble SpA",
        "77001002-8",
        ("Resma papel carta 75 g", "Papel carta resma 500h 75grs", 3490, 100),
        ("Resma papel oficio 75 g", "Papel oficio resma 500h 75grs", 4290, 60),
        ("Tóner negro impresora 85A", "TONER 85A NEGRO", 38900, 6),
        ("Archivador oficio ancho", "Archivador ofi. lomo ancho", 2190, 48),
        ("Lápiz pasta azul caja 50", "LAPIZ PASTA AZUL CJA 50", 6990, 10),
        ("Corchetera metálica", "Corchetera de metal 20 hojas", 5490, 5),
    ),
    _supplier(
        "Agrícola Los Coihues S.A.",
        "96789012-K",
        ("Harina panadera saco 25 kg", "HARINA PANADERA 25KG", 17800, 40),
        ("Azúcar granulada saco 25 kg", "Azucar granulada 25 Kg", 21900, 12),
        ("Levadura fresca 500 g", "LEVADURA FRESCA PAN 500GR", 1890, 60),
        ("Manteca vegetal caja 10 kg", "Manteca vegetal cj 10 kg", 23400, 8),
        ("Sal de mar saco 20 kg", "SAL MAR 20K", 4200, 10),
        ("Huevo blanco bandeja 30", "Huevos blancos bandeja 30 un", 5990, 30),
    ),
    _supplier(
        "Servicios Informáticos Cordillera Ltda.",
        "76111222-4",
        ("Soporte técnico mensual plan 20 equipos", "Servicio soporte TI mensual 20 equipos", 690000, 1),
        ("Licencia antivirus anual", "Antivirus corporativo licencia 1 año", 14900, 20),
        ("Notebook 14 pulgadas 16 GB", "NOTEBOOK 14\" 16GB RAM SSD 512", 649000, 3),
        ("Monitor LED 24 pulgadas", "Monitor 24\" LED FHD", 99900, 6),
        ("Respaldo en la nube 1 TB", "Backup nube 1TB mensual", 45000, 2),
        ("Instalación punto de red", "Instal. punto de red cat 6", 38000, 10),
    ),
    _supplier(
        "Transportes Ruta Cinco SpA",
        "77333444-1",
        ("Flete Santiago Concepción camión 28 t", "Servicio flete STGO-CONCEPCION 28 ton", 850000, 2),
        ("Flete Santiago Temuco camión 28 t", "Servicio flete STGO-TEMUCO 28 ton", 980000, 1),
        ("Arriendo grúa horquilla día", "Arr. grúa horquilla x día", 120000, 5),
        ("Bodegaje pallet mes", "BODEGAJE POR PALLET MENSUAL", 9500, 80),
        ("Peoneta jornada", "Servicio peoneta jornada", 38000, 6),
        ("Estacionamiento camión noche", "Pernoctación camión", 15000, 4),
    ),
    _supplier(
        "Laboratorio Dental Austral Limitada",
        "76555666-7",
        ("Guante nitrilo talla M caja 100", "GUANTES NITRILO M X100", 5990, 50),
        ("Guante nitrilo talla S caja 100", "GUANTES NITRILO S X100", 5990, 30),
        ("Mascarilla quirúrgica caja 50", "Mascarilla 3 pliegues cj 50 un", 2490, 80),
        ("Alcohol gel 1 litro", "ALCOHOL GEL 1 LT", 2990, 24),
        ("Jeringa 5 ml con aguja", "Jeringas 5ml c/aguja", 120, 500),
        ("Algodón prensado 500 g", "Algodon prensado 500grs", 4300, 15),
    ),
    _supplier(
        "Comercial Textil Maule SpA",
        "77666777-2",
        ("Polera piqué azul talla L bordada", "POLERA PIQUE AZUL L C/BORDADO", 8900, 40),
        ("Polera piqué azul talla M bordada", "POLERA PIQUE AZUL M C/BORDADO", 8900, 60),
        ("Pantalón cargo gris 44", "Pant. cargo gris T44", 15900, 25),
        ("Zapato de seguridad 42", "Zapatos seguridad N°42", 32900, 20),
        ("Parka térmica naranja XL", "PARKA TERMICA NARANJA XL", 41900, 10),
        ("Casco de seguridad blanco", "Casco seguridad blanco c/arnés", 6400, 35),
    ),
    _supplier(
        "Imprenta Puerto Claro E.I.R.L.",
        "76888999-K",
        ("Tarjetas de presentación 1000", "Tarjetas presentacion x 1.000", 45000, 4),
        ("Volante 1/2 carta color 5000", "VOLANTES MEDIA CARTA COLOR 5000 UN", 189000, 1),
        ("Pendón roller 90 x 200", "Pendon roller 90x200 cm", 42000, 6),
        ("Block membretado 100 hojas", "Block membrete 100h", 3900, 50),
        ("Etiqueta adhesiva 10 x 5 rollo 1000", "ETIQ. ADHESIVA 10X5 ROLLO 1000", 12900, 20),
        ("Diseño gráfico hora", "Horas diseño grafico", 25000, 8),
    ),
    _supplier(
        "Repuestos Camino Real S.A.",
        "96321654-3",
        ("Filtro de aceite motor 2.5 diésel", "FILTRO ACEITE MOTOR 2.5 D", 8900, 12),
        ("Filtro de aire camioneta", "Filtro aire camioneta 4x4", 13900, 8),
        ("Aceite 15W40 balde 20 litros", "ACEITE 15W-40 BALDE 20L", 78900, 6),
        ("Neumático 245/70 R16", "NEUMATICO 245/70R16 AT", 119900, 8),
        ("Batería 12 V 75 Ah", "Bateria 75AH 12V", 84900, 4),
        ("Pastilla de freno delantera juego", "Pastillas freno del. jgo", 29900, 10),
    ),
    _supplier(
        "Aseo Integral Pacífico Limitada",
        "76777123-5",
        ("Servicio de aseo oficinas mensual", "Aseo oficinas mes", 1250000, 1),
        ("Papel higiénico jumbo caja 6", "P. HIGIENICO JUMBO CJ 6", 15900, 20),
        ("Toalla de papel rollo 250 m caja 2", "Toalla papel rollo 250 mt x 2", 13900, 15),
        ("Cloro 5 litros", "CLORO BIDON 5 LTS", 3490, 24),
        ("Detergente industrial bidón 20 litros", "Detergente industrial 20 lts", 24900, 4),
        ("Bolsa de basura 110 x 120 rollo 10", "Bolsas basura 110x120 r10", 1990, 60),
    ),
)  # fmt: skip

DAY = date(2026, 3, 20)
_FIRST = 120


def _line(name: str, quantity: float, price: float, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "quantity": quantity,
        "price_unit": price,
        "price_subtotal": round(quantity * price),
        **more,
    }


def _order(
    supplier: Supplier,
    number: int,
    rows: Any,
    *,
    day: date = DAY - timedelta(days=12),
    partner: str | None = None,
) -> dict[str, Any]:
    """An order of products, as (product, quantity) or whole lines."""
    lines = []
    for place, row in enumerate(rows):
        if isinstance(row, dict):
            lines.append(row)
            continue
        product, quantity = row
        lines.append(
            {
                "id": number * 10 + place,
                "name": product.ordered,
                "product_qty": quantity,
                "price_unit": product.price,
                "price_subtotal": quantity * product.price,
            }
        )
    net = sum(line["price_subtotal"] for line in lines)
    return {
        "id": number,
        "name": f"P{number:05d}",
        "partner_name": partner or supplier.name,
        "amount_total": round(net * 1.19),
        "date_order": f"{day} 10:00:00",
        "lines": lines,
    }


def _bill(
    supplier: Supplier, rows: Any, *, reference: str = "", total: int | None = None
) -> dict[str, object]:
    lines = [
        row if isinstance(row, dict) else _line(row[0].billed, row[1], row[0].price) for row in rows
    ]
    net = sum(line["price_subtotal"] for line in lines)
    return {
        "partner_id": 7,
        "partner_vat": supplier.rut,
        "partner_name": supplier.name.upper(),
        "total_amount": round(net * 1.19) if total is None else total,
        "date": str(DAY),
        "reference": reference,
        "lines": lines,
    }


def _usual(supplier: Supplier) -> tuple[list[dict[str, object]], list[tuple[Product, int]]]:
    """Other open orders of the supplier, and the rows of the order that the case is about."""
    a, b, c, d, e, f = supplier.products
    others = [
        _order(supplier, _FIRST + 1, [(d, d.quantity), (e, e.quantity * 2)]),
        _order(supplier, _FIRST + 2, [(f, f.quantity)], day=DAY - timedelta(days=40)),
        _order(supplier, _FIRST + 3, [(b, b.quantity * 2), (f, f.quantity * 3)]),
    ]
    return others, [(a, a.quantity), (b, b.quantity), (c, c.quantity)]


Built = tuple[dict[str, Any], list[dict[str, Any]], int | None]


def named(supplier: Supplier) -> Built:
    others, rows = _usual(supplier)
    return _bill(supplier, rows, reference="OC P00120"), [*others, _order(supplier, 120, rows)], 120


def unnamed(supplier: Supplier) -> Built:
    others, rows = _usual(supplier)
    return _bill(supplier, rows, reference="F 45871"), [_order(supplier, 120, rows), *others], 120


def some_lines(supplier: Supplier) -> Built:
    others, rows = _usual(supplier)
    return _bill(supplier, rows[:2]), [*others, _order(supplier, 120, rows)], 120


def some_quantity_named_in_a_line(supplier: Supplier) -> Built:
    others, rows = _usual(supplier)
    rows = [(product, quantity * 4) for product, quantity in rows]
    part = [(product, quantity // 4) for product, quantity in rows]
    note = _line("Despacho parcial según O/C N° 120", 1, 0)
    return _bill(supplier, [*part, note]), [*others, _order(supplier, 120, rows)], 120


def second_of_several(supplier: Supplier) -> Built:
    others, rows = _usual(supplier)
    order = _order(supplier, 120, [(product, quantity * 2) for product, quantity in rows])
    for line in order["lines"]:
        line["qty_invoiced"] = line["product_qty"] / 2
    return _bill(supplier, rows), [*others, order], 120


def other_units(supplier: Supplier) -> Built:
    others, rows = _usual(supplier)
    boxes = [
        _line(f"{product.billed} (display x 10)", quantity / 10, product.price * 10)
        for product, quantity in rows
    ]
    return _bill(supplier, boxes), [*others, _order(supplier, 120, rows)], 120


def discount(supplier: Supplier) -> Built:
    others, rows = _usual(supplier)
    lines = [_line(p.billed, quantity, p.price * 0.9) for p, quantity in rows]
    return _bill(supplier, lines), [*others, _order(supplier, 120, rows)], 120


def discount_on_a_named_order(supplier: Supplier) -> Built:
    others, rows = _usual(supplier)
    lines = [_line(p.billed, quantity, p.price * 0.85) for p, quantity in rows]
    bill = _bill(supplier, lines)
    bill["references"] = [{"TpoDocRef": "801", "FolioRef": "00120", "FchRef": "2026-03-08"}]
    return bill, [*others, _order(supplier, 120, rows)], 120


def other_products(supplier: Supplier) -> Built:
    others, _ = _usual(supplier)
    lines = [
        _line("Asesoría en comercio exterior", 1, 733000),
        _line("Traducción certificada por página", 14, 9800),
    ]
    return _bill(supplier, lines, reference="HES 9911"), others, None


def far_more_than_ordered(supplier: Supplier) -> Built:
    others, rows = _usual(supplier)
    many = [(product, quantity * 6) for product, quantity in rows]
    return _bill(supplier, many), [*others, _order(supplier, 120, rows)], None


def names_an_order_that_is_not_open(supplier: Supplier) -> Built:
    others, rows = _usual(supplier)
    bill = _bill(supplier, rows, reference="Orden de compra P00987")
    return bill, [*others, _order(supplier, 120, rows)], None


def every_month_the_same(supplier: Supplier) -> Built:
    _, rows = _usual(supplier)
    months = [
        _order(supplier, 120 + n, rows, day=DAY - timedelta(days=17 + 30 * (2 - n)))
        for n in range(3)
    ]
    return _bill(supplier, rows), [months[1], months[2], months[0]], 122


def two_the_same(supplier: Supplier) -> Built:
    others, rows = _usual(supplier)
    twins = [_order(supplier, 120, rows), _order(supplier, 130, rows)]
    return _bill(supplier, rows), [*twins, *others], None


def same_sum_of_another_supplier(supplier: Supplier) -> Built:
    others, rows = _usual(supplier)
    foreign = _order(supplier, 120, rows, partner="Inversiones Quebrada Honda SpA")
    return _bill(supplier, rows), [*others, foreign], None


def with_freight(supplier: Supplier) -> Built:
    others, rows = _usual(supplier)
    net = sum(product.price * quantity for product, quantity in rows)
    lines = [*rows, _line("Cargo por despacho", 1, round(net * 0.02))]
    return _bill(supplier, lines), [*others, _order(supplier, 120, rows)], 120


SITUATIONS: tuple[Callable[[Supplier], Built], ...] = (
    named,
    unnamed,
    some_lines,
    some_quantity_named_in_a_line,
    second_of_several,
    other_units,
    discount,
    discount_on_a_named_order,
    other_products,
    far_more_than_ordered,
    names_an_order_that_is_not_open,
    every_month_the_same,
    two_the_same,
    same_sum_of_another_supplier,
    with_freight,
)


def cases() -> Iterator[Case]:
    """Every situation at every supplier."""
    for situation in SITUATIONS:
        for supplier in SUPPLIERS:
            bill, orders, expected = situation(supplier)
            body = {"dte_data": bill, "pending_pos": orders, "company_id": 1}
            yield Case(f"{situation.__name__}: {supplier.name}", body, expected)
