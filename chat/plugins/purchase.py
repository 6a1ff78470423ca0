"""Purchases and the supplier's documents."""

from chat.plugins.specialist import Specialist

SPECIALIST = Specialist(
    name="purchase",
    module="purchase",
    title="Compras y proveedores",
    odoo_names=frozenset({"purchase_stock", "purchase.order", "purchase_requisition"}),
    knowledge_modules=("odoo_compras",),
    patterns=(
        r"compras?|comprar|comprador\w*",
        r"proveedor\w*",
        r"ordene?s? de compra|oc|solicitud de (compra|cotizacion)|cotizacion(es)?",
        r"factura de compra|facturas? de proveedor\w*|recepcion de facturas?",
        r"recepcion( de (mercaderia|productos))?|recibir productos",
        r"tres vias|3 vias|three way|matching|cuadrar",
        r"cambio de sujeto|retenedor\w*",
        r"importacion(es)?|din|aduana",
    ),
)
