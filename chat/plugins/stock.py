"""Inventory and the movement of goods."""

from chat.plugins.specialist import Specialist

SPECIALIST = Specialist(
    name="stock",
    module="stock",
    title="Inventario y despacho",
    odoo_names=frozenset({"stock_account", "l10n_cl_edi_stock", "stock.picking", "delivery"}),
    knowledge_modules=("odoo_inventario",),
    patterns=(
        r"inventarios?|stock|existencias?",
        r"bodegas?|almacen(es)?|ubicacion(es)?",
        r"picking|entregas?|despach\w+",
        r"guias? de despacho|traslados?|indtraslado",
        r"transporte|transportista|patente|chofer",
        r"lotes?|numeros? de serie|trazabilidad",
        r"valorizacion|valoracion|costo promedio|fifo|peps|costeo",
        r"reabastec\w+|reorden|minimos? y maximos?|mermas?",
        r"devolucion(es)? (de )?(mercaderia|productos)|ajustes? de inventario",
    ),
)
