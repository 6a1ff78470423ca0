"""Invoices of a chosen number of lines, to measure with. Django must be set up."""

from tests.documents import Document, document


def invoice(lines: int, folio: int = 123) -> Document:
    """Return a valid factura, neither stamped nor signed."""
    content = document(33, {"Encabezado/IdDoc/Folio": str(folio)})
    line = content["Detalle"][0]
    content["Detalle"] = [{**line, "NroLinDet": str(number)} for number in range(1, lines + 1)]
    net = 1000 * lines
    tax = net * 19 // 100
    content["Encabezado"]["Totales"].update(MntNeto=str(net), IVA=str(tax), MntTotal=str(net + tax))
    return content
