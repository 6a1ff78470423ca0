"""Electronic tax documents and the SII."""

from chat.plugins.specialist import Specialist

SPECIALIST = Specialist(
    name="dte",
    module="l10n_cl_edi",
    title="Facturación electrónica (DTE)",
    odoo_names=frozenset({"l10n_cl_dte", "l10n_cl", "l10n_cl_edi_boletas", "dte"}),
    knowledge_modules=("dte", "sii", "odoo_facturacion"),
    patterns=(
        r"dtes?",
        r"sii",
        r"facturas?( electronicas?| exentas?)?",
        r"boletas?( electronicas?)?",
        r"guias?( de despacho)?",
        r"notas? de (credito|debito)",
        r"folios?",
        r"cafs?",
        r"timbres?|ted|pdf417",
        r"certificados?( digital(es)?)?|firmas?( electronica)?",
        r"rechaz\w+|repar\w+|glosas?|trackid|track id",
        r"acuse\w*|reclam\w+|8 dias|ocho dias|aceptacion",
        r"cesion|ceder|factoring|aec",
        r"xml|envio\w*|set de (dte|prueba)\w*|esquema",
        r"rut|giro|acteco|razon social",
        r"(tipo )?(33|34|39|41|43|46|52|56|61|110|111|112)",
        r"exportacion\w*|liquidacion(es)?[ -]factura|factura de compra",
        r"maullin|palena|certificacion|resolucion",
    ),
)
