"""Documents per second and core: all our rules with both signatures, beside cl-sii's three checks.

    taskset -c 0 python -m tests.load.dte_speed [FOLDER OF XML] [--rounds 200]

cl-sii parses, validates against its schema, reads its fields and verifies the document's signature;
ours reads by the format table, runs every rule and verifies stamp, CAF and signature. Both take the
same documents in turns, and processor time is what counts: a busy machine slows both alike. Without a folder the documents are invoices
of the test factory. signxml checks certificates as of today; its clock is set to the day of signing.
"""

import argparse
import base64
import json
import re
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.corpus import configure

Check = Callable[[], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--pattern", default="d33-*.xml")
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    folder = options.folder or Path(tempfile.mkdtemp())
    configure(folder.parent)
    documents = read(folder, options.pattern) if options.folder else factory()
    checks: dict[str, list[Check]] = {"cl-sii": [], "xml": [], "json": []}
    for raw in documents:
        theirs = cl_sii(raw)
        if theirs is None:
            continue
        checks["cl-sii"].append(theirs)
        checks["xml"].append(ours_xml(raw))
        checks["json"].append(ours_json(raw))
    medians = measure(checks, options.rounds)
    print(f"{len(checks['xml'])} documents, {options.rounds} rounds, median per document")
    for name, seconds in medians.items():
        ratio = medians["cl-sii"] / seconds
        print(f"{name:7} {seconds * 1000:6.3f} ms {1 / seconds:7.0f} docs/s  {ratio:5.2f} x cl-sii")


def measure(checks: dict[str, list[Check]], rounds: int) -> dict[str, float]:
    """Return for each kind the median over the documents of each one's median time."""
    times: dict[str, list[list[float]]] = {
        name: [[] for _ in each] for name, each in checks.items()
    }
    for round_number in range(rounds + 1):
        for index in range(len(checks["xml"])):
            for name, each in checks.items():
                start = time.process_time()
                each[index]()
                if round_number:  # the first one fills caches
                    times[name][index].append(time.process_time() - start)
    return {
        name: statistics.median(statistics.median(one) for one in each)
        for name, each in times.items()
    }


def read(folder: Path, pattern: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.glob(pattern))]


def factory() -> list[bytes]:
    """Return ten invoices of one to ten lines, stamped and signed."""
    from tests.factories import signed
    from tests.load.invoices import invoice

    return [signed(doc=invoice(lines)) for lines in range(1, 11)]


def cl_sii(raw: bytes) -> Check | None:
    """Return cl-sii's checks of one document; None if its old schemas refuse it."""
    import signxml.verifier
    from cl_sii.dte import parse
    from cl_sii.libs import xml_utils
    from cryptography import x509

    encoded = re.search(rb"<X509Certificate>(.*?)</X509Certificate>", raw, re.DOTALL)
    if encoded is None:
        return None
    certificate = x509.load_der_x509_certificate(base64.b64decode(encoded[1]))
    moment = signed_at(raw)

    def check() -> None:
        setattr(signxml.verifier.XMLVerifier, "_get_cert_verification_time", lambda _: moment)  # noqa: B010 - a method, to mypy
        document = xml_utils.parse_untrusted_xml(raw)
        parse.validate_dte_xml(document)
        parse.parse_dte_xml(document)
        # Verification changes the document it is given.
        again = xml_utils.parse_untrusted_xml(raw)
        xml_utils.verify_xml_signature(again, trusted_x509_cert=certificate)

    try:
        check()
    except Exception as exc:  # noqa: BLE001 - whatever it refuses cannot be timed
        print(f"left out, cl-sii refuses it: {type(exc).__name__}")
        return None
    return check


def signed_at(raw: bytes) -> datetime:
    """Return the moment as of which both judge: the signature's."""
    found = re.search(rb"<TmstFirma>(.*?)</TmstFirma>", raw)
    return datetime.fromisoformat(found[1].decode() if found else "2026-01-01").replace(tzinfo=UTC)


def ours_xml(raw: bytes) -> Check:
    from dte.judging.report import judge_xml
    from dte.parsing.xml import read_xml
    from dte.rules.registry import Context

    context = Context(as_of=signed_at(raw))
    return lambda: judge_xml(read_xml(raw), context).as_dict()


def ours_json(raw: bytes) -> Check:
    from dte.judging.report import judge_json
    from dte.parsing.json import is_odd, parse_json
    from dte.parsing.xml import read_xml
    from dte.rules.registry import Context

    dte = next(iter(read_xml(raw).documents()))
    content = {zone: value for zone, value in dte.data.items() if zone not in {"TED", "TmstFirma"}}
    body = json.dumps(content, ensure_ascii=False).encode()
    context = Context(as_of=signed_at(raw))
    return lambda: judge_json(
        parse_json(body), context, content=body, odd_text=is_odd(body)
    ).as_dict()


if __name__ == "__main__":
    main()
