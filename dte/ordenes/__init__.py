"""Which purchase order a received document bills: `POST /api/ai/reception/match_po`.

reading     what Odoo sends, as documents, orders and lines
references  which order the document itself names
lines       which line of the document is which line of the order
evidence    what speaks for and against one order, in points
matching    the answer from the evidence of all orders
choice      Claude's choice, only where two orders stay close
"""
