"""What can be wrong with an AEC; each notice names the SII's document that asks for it."""

from typing import Final

from dte.examining.notices import Notice

_FORMAT = "Formato Archivo Electrónico de Cesión v1.1 del SII (2013)"
_GUIDE = "Instructivo Técnico del Registro de Transferencia de Crédito del SII (2013), p. 5"
_CORRECT = "Corrija el dato, vuelva a firmar esa parte y el AEC, y envíelo de nuevo."

STRUCTURE: Final = Notice(
    "CES-01",
    "reject",
    "{campo} {problema}.",
    fix="Ajuste el archivo al esquema AEC_v10.xsd del SII antes de firmarlo.",
    source="esquemas AEC_v10, DTECedido_v10 y Cesion_v10 del SII",
    sii="rechazo",
)
SIGNATURE: Final = Notice(
    "CES-02",
    "reject",
    "La firma de {parte} no es válida: {motivo}.",
    fix="Vuelva a firmar esa parte con el certificado de quien corresponde y no la edite después; "
    "luego vuelva a firmar el AEC.",
    source=f"{_FORMAT}, zonas B.6, C.2 y D; {_GUIDE} (validez de las firmas)",
    sii="rechazo",
)
SIGNERS: Final = Notice(
    "CES-03",
    "review",
    "La cesión {numero} trae {firmas} firmas y {autorizado} personas autorizadas.",
    fix="Deben venir en el mismo orden y cantidad: una firma por cada RUTAutorizado.",
    source=f"{_FORMAT}, zona C.2",
    sii="rechazo",
)
SIGNER: Final = Notice(
    "CES-04",
    "review",
    "En la cesión {numero} firma {firmante} y la persona autorizada es {autorizado}.",
    fix="Ponga en RUTAutorizado el RUT de la persona dueña del certificado con que se firma.",
    source=f"{_GUIDE} (coherencia entre los RUT autorizados y los de las firmas)",
    sii="rechazo",
)
CERTIFICATE: Final = Notice(
    "CES-05",
    "reject",
    "El certificado de {parte} vale del {desde} al {hasta} y se firmó el {firmado}.",
    fix="Firme con un certificado vigente.",
    source=f"{_GUIDE} (validez de las firmas)",
    sii="rechazo",
)
TYPE: Final = Notice(
    "CES-06",
    "reject",
    "Un documento de tipo {tipo} no se puede ceder: sólo 33, 34, 43 y 46.",
    fix="Ceda una factura (33), una exenta (34), una liquidación-factura (43) o una factura de "
    "compra (46).",
    source=f"{_FORMAT}, p. 8, campo 2",
    sii="rechazo",
)
SEQUENCE: Final = Notice(
    "CES-07",
    "reject",
    "La cesión que viene en el lugar {lugar} dice ser la número {numero}.",
    fix="Numere las cesiones 1, 2, 3… en el orden en que ocurrieron, sin omitir ninguna.",
    source=f"{_FORMAT}, p. 8, campo 1",
    sii="rechazo",
)
FIRST_ASSIGNOR: Final = Notice(
    "CES-08",
    "reject",
    "El primer cedente es {cedente} y el dueño del crédito es {titular}.",
    fix="La primera cesión la hace quien emitió el documento; si ya fue cedido, incluya las cesiones "
    "anteriores.",
    source=f"{_GUIDE} (el cedente debe ser el emisor o el último cesionario)",
    sii="rechazo",
)
CHAIN: Final = Notice(
    "CES-09",
    "reject",
    "En la cesión {numero} cede {cedente}, pero en la anterior el crédito pasó a {titular}.",
    fix="Cada cedente debe ser el cesionario de la cesión anterior.",
    source=f"{_GUIDE} (el cedente debe ser el último cesionario)",
    sii="rechazo",
)
OTHER_DOCUMENT: Final = Notice(
    "CES-10",
    "reject",
    "La cesión {numero} dice {campo} «{dice}» y el documento cedido «{en_documento}».",
    fix="IdDTE debe identificar el documento que va en el AEC.",
    source=f"{_GUIDE} (el documento transferido debe corresponder al registrado)",
    sii="rechazo",
)
AMOUNT: Final = Notice(
    "CES-11",
    "reject",
    "En la cesión {numero} se ceden {monto} y el documento es por {total}.",
    fix="El monto del crédito cedido no puede superar el total del documento.",
    source=f"{_GUIDE} (monto del crédito cedido)",
    sii="rechazo",
)
NO_AMOUNT: Final = Notice(
    "CES-12",
    "review",
    "En la cesión {numero} el monto cedido es 0.",
    fix="Confirme el monto del crédito que se cede.",
    source="Regla propia",
)
MORE_THAN_BEFORE: Final = Notice(
    "CES-13",
    "review",
    "En la cesión {numero} se ceden {monto}, más que los {anterior} de la anterior.",
    fix="Nadie puede ceder más de lo que recibió: confirme el monto.",
    source="Regla propia",
)
DUE: Final = Notice(
    "CES-14",
    "reject",
    "En la cesión {numero} el último vencimiento ({vence}) es anterior a la emisión ({emitido}).",
    fix="El último vencimiento debe ser igual o posterior a la fecha del documento.",
    source=f"{_GUIDE} (fecha del último vencimiento)",
    sii="rechazo",
)
FUTURE: Final = Notice(
    "CES-15",
    "reject",
    "La cesión {numero} tiene fecha futura: {fecha}.",
    fix="La fecha de la cesión debe ser anterior o igual al día de hoy.",
    source=f"{_GUIDE} (validez de la fecha de transferencia)",
    sii="rechazo",
)
ORDER: Final = Notice(
    "CES-16",
    "review",
    "La cesión {numero} es del {fecha}, anterior a {que_anterior} ({anterior}).",
    fix="Revise la fecha y hora de la cesión.",
    source="Regla propia",
)
COVER: Final = Notice(
    "CES-17",
    "review",
    "La carátula dice {rol} {dice} y en la última cesión es {ultima}.",
    fix="La carátula identifica al cedente y al cesionario de la última cesión.",
    source=f"{_FORMAT}, zona A, campos 1 y 2",
)
RUT: Final = Notice(
    "CES-18",
    "reject",
    "El RUT de {de_quien} {problema}.",
    fix=_CORRECT,
    source=f"{_GUIDE} (RUT válidos del cesionario y de las personas autorizadas)",
    sii="rechazo",
)
ONESELF: Final = Notice(
    "CES-19",
    "review",
    "En la cesión {numero} el cedente y el cesionario son el mismo: {rut}.",
    fix="Revise a quién se cede el crédito.",
    source="Regla propia",
)
TO_THE_DEBTOR: Final = Notice(
    "CES-20",
    "review",
    "En la cesión {numero} el cesionario es el propio deudor del documento: {rut}.",
    fix="Confirme el cesionario: ceder el crédito a quien lo debe lo extingue.",
    source="Regla propia; Código Civil, art. 1665 (confusión)",
)
NO_RECEIPT: Final = Notice(
    "CES-21",
    "review",
    "El AEC no trae recibos electrónicos de las mercaderías o servicios, ni la cesión {numero} la "
    "declaración jurada que los reemplaza.",
    fix="Incluya el recibo (Recibo) o la declaración jurada de la Ley 19.983: sin ellos la factura no "
    "tiene mérito ejecutivo.",
    source=f"{_FORMAT}, p. 9, campo 14; Ley 19.983, arts. 4 y 5",
)
STATEMENT_LOST: Final = Notice(
    "CES-22",
    "reject",
    "La cesión {numero} no trae declaración jurada y una anterior sí la traía.",
    fix="Incluya la declaración jurada en cada cesión posterior.",
    source=f"{_GUIDE} (declaración jurada en cesiones sucesivas)",
    sii="rechazo",
)
STATEMENT_PARTIES: Final = Notice(
    "CES-23",
    "warn",
    "La declaración jurada de la cesión {numero} no nombra el RUT de {faltan}.",
    fix="Use el texto del formato, con nombre y RUT del cedente, del cesionario y del deudor.",
    source=f"{_FORMAT}, p. 9, campo 14",
)
RECEIPT: Final = Notice(
    "CES-24",
    "warn",
    "El recibo {numero} es del documento {dice} y se cede {cedido}.",
    fix="Incluya los recibos del documento cedido o de sus guías de despacho.",
    source=f"{_GUIDE}: el SII no lo verifica; es responsabilidad de las partes",
)
IMAGE: Final = Notice(
    "CES-25",
    "warn",
    "{nombre} no contiene un PDF en base64.",
    fix="Incluya el PDF en base64, o quite el elemento, que es opcional.",
    source=f"{_FORMAT}, zonas B.2 y B.4",
)
IMAGE_SIZE: Final = Notice(
    "CES-26",
    "reject",
    "ImagenAR ocupa {largo} caracteres y el máximo es {maximo} (3 MB).",
    fix="Reduzca el PDF del acuse de recibo.",
    source=f"{_FORMAT}, zona B.4; esquema DTECedido_v10",
    sii="rechazo",
)
KNOWN_BAD: Final = Notice(
    "CES-27",
    "reject",
    "El SII rechazó o anuló este documento según su historial ({estado}).",
    fix="No ceda un documento que el SII no recibió.",
    source=f"{_GUIDE} (el documento debe corresponder al registrado por el SII)",
    sii="rechazo",
)
UNREADABLE_DOCUMENT: Final = Notice(
    "CES-28",
    "reject",
    "El documento cedido no se puede leer: {motivo}",
    fix="Incluya el DTE tal como se firmó, sin editarlo.",
    source=f"{_FORMAT}, zona B.1 (documento válidamente emitido)",
    sii="rechazo",
)
