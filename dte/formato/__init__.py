"""The SII's document format as our own data: which fields, in what order, of what type and length.

One outline per family of types (``*.txt``), written from the schemas of 2026-02-06; the same table
checks XML and JSON and reads both into one shape.
"""
