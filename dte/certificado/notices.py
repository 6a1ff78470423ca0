"""What can be said of a certificate with which tax documents are signed."""

from typing import Final

from dte.examining.notices import Notice

_SII: Final = "SII, certificado digital: pregunta frecuente 001.003.0539"
_OWN: Final = "Regla propia"
_AGAIN: Final = "Exporte de nuevo el certificado con su llave privada, o pídaselo a su proveedor."

UNREADABLE: Final = Notice(
    "CER-01",
    "reject",
    "No es un certificado que se pueda leer: {motivo}.",
    _AGAIN,
    "PKCS#12, X.509",
)
LOCKED: Final = Notice(
    "CER-02", "review", "El archivo está protegido con clave y no se pudo abrir sin ella.",
    "Escriba la clave: se usa para abrirlo y no se guarda.", _OWN,
)  # fmt: skip
WRONG_PASSWORD: Final = Notice(
    "CER-03", "review", "La clave no abre el archivo, o el archivo está dañado.",
    "Revise mayúsculas y espacios. Si la clave es esa, exporte el certificado de nuevo.", _OWN,
)  # fmt: skip
TOO_COSTLY: Final = Notice(
    "CER-04", "reject", "El archivo exige {vueltas} vueltas para derivar la clave: no se abre.",
    "Exporte el certificado otra vez con las opciones usuales de su sistema.",
    "Regla propia de seguridad: hasta 300.000 vueltas",
)  # fmt: skip
EXPIRED: Final = Notice(
    "CER-05", "reject", "El certificado venció el {vence}.",
    "Compre uno nuevo: el SII rechaza lo que se firma después de esa fecha.", _SII, sii="rechazo",
)  # fmt: skip
NOT_YET: Final = Notice(
    "CER-06", "reject", "El certificado empieza a valer el {desde}.",
    "Firme desde esa fecha, o revise el reloj del servidor.", _SII, sii="rechazo",
)  # fmt: skip
EXPIRES_SOON: Final = Notice(
    "CER-07", "warn", "El certificado vence el {vence}: quedan {dias} días.",
    "Renuévelo antes, y cárguelo en su sistema y en el SII.", _SII,
)  # fmt: skip
NO_RUT: Final = Notice(
    "CER-08", "reject", "El certificado no trae el RUT de su titular.",
    "Use un certificado para facturación electrónica de un proveedor acreditado: el SII reconoce al "
    "firmante por ese RUT.",
    "Decreto 181 de 2002; visto en todos los certificados reales", sii="rechazo",
)  # fmt: skip
NOT_ACCREDITED: Final = Notice(
    "CER-09", "review", "Lo emitió «{emisor}», que no está entre los proveedores que acepta el SII.",
    "Revise la lista de proveedores acreditados del SII; si no está, el SII no acepta su firma.", _SII,
    sii="rechazo",
)  # fmt: skip
NO_KEY: Final = Notice(
    "CER-10", "review", "El archivo trae el certificado sin su llave privada: con él no se puede firmar.",
    "Exporte el certificado como .pfx o .p12, marcando «exportar la clave privada».", _OWN,
)  # fmt: skip
NO_CERTIFICATE: Final = Notice(
    "CER-11", "reject", "El archivo trae una llave privada sin su certificado.", _AGAIN, _OWN
)
OTHER_KEY: Final = Notice(
    "CER-12", "reject", "La llave privada del archivo no es la del certificado.", _AGAIN, _OWN
)
NOT_RSA: Final = Notice(
    "CER-13", "reject", "La llave del certificado no es RSA, la única que usa el SII.", _AGAIN,
    "xmldsignature_v10.xsd (rsa-sha1)", sii="rechazo",
)  # fmt: skip
SHORT_KEY: Final = Notice(
    "CER-14", "warn", "La llave es de {bits} bits; los proveedores entregan 2.048 desde hace años.",
    "Al renovarlo, pida una llave de 2.048 bits.", _OWN,
)  # fmt: skip
NOT_FOR_SIGNING: Final = Notice(
    "CER-15", "review", "El certificado no está marcado para firmar (uso de la llave: {usos}).",
    "Use un certificado de firma electrónica.", "X.509, RFC 5280 4.2.1.3",
)  # fmt: skip
SELF_SIGNED: Final = Notice(
    "CER-16", "reject", "El certificado se firmó a sí mismo: ningún proveedor responde por él.",
    "Use el certificado de un proveedor acreditado.", _SII, sii="rechazo",
)  # fmt: skip
OF_ANOTHER: Final = Notice(
    "CER-17", "warn",
    "El titular es {rut} y el emisor es {emisor}: sirve solo si el emisor autorizó en el SII a ese titular "
    "a firmar y enviar.",
    "Revise en el SII, Factura electrónica, «Mantención de usuarios autorizados».", _SII,
)  # fmt: skip
OPEN_KEY: Final = Notice(
    "CER-18", "warn", "La llave privada está en el archivo sin clave: quien lo tenga puede firmar por usted.",
    "Guárdelo protegido con clave y bórrelo de donde no se necesite.", _OWN,
)  # fmt: skip
