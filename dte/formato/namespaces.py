"""XML namespaces of the SII's documents and of their signatures."""

from typing import Final

SII: Final = "http://www.sii.cl/SiiDte"
XMLDSIG: Final = "http://www.w3.org/2000/09/xmldsig#"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
