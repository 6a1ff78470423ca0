"""The gateway behind the running service: caching, a provider that is down, a server that is killed.

    python -m tests.load.service [conversation] [validations] [down] [crash] [stop]

The provider runs in this process and keeps the bill; the service is the real server.
"""

import concurrent.futures
import io
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2

from tests import servers
from tests.fake_claude import FakeClaude, Script
from tests.load.stage import report, stage

QUESTIONS = [
    "¿Qué es una factura electrónica?",
    "¿Qué es un folio y quién lo autoriza?",
    "¿Qué contiene el CAF?",
    "¿Cuánto duran los folios de un CAF?",
    "¿Qué pasa si uso un folio dos veces?",
    "¿Cómo anulo una factura?",
    "¿Qué código lleva la referencia de una nota de crédito que anula?",
    "¿Y si solo quiero corregir el monto?",
    "¿Cuándo se usa una nota de débito?",
    "¿Qué es una guía de despacho?",
    "¿Qué significa el indicador de traslado?",
    "¿Cómo se calcula el IVA de una factura?",
    "¿Qué documentos son exentos de IVA?",
    "¿Qué es el timbre electrónico?",
    "¿Por qué el SII rechaza un documento por la firma?",
    "¿Qué es un reparo y en qué se diferencia de un rechazo?",
    "¿Cómo se valida el dígito verificador de un RUT?",
    "¿Cuál es la diferencia entre una boleta y una factura?",
    "¿Qué plazo tiene el receptor para reclamar una factura?",
    "¿Qué es la cesión de un crédito?",
]
ANSWER = (
    "Según el pasaje [1], el documento debe llevar el folio que autoriza el SII en el CAF. " * 4
)


class Service:
    """The server as a process, over the databases of the stage."""

    def __init__(self, **variables: str) -> None:
        self.port = servers.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = Path(tempfile.mkdtemp(dir=servers.TEMPORARY)) / "service.log"
        self.variables = {"HOST": "127.0.0.1", "PORT": str(self.port), **variables}
        self.process: subprocess.Popen[bytes]

    def start(self) -> None:
        self.process = servers.start(
            [sys.executable, "-m", "aiservice.serve"],
            log=self.log,
            env=os.environ | self.variables,
        )
        servers.wait_until(self.answers, self.process)

    def answers(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/live", timeout=1).status_code == 200
        except httpx2.TransportError:
            return False


@contextmanager
def serving(**variables: str) -> Iterator[tuple[FakeClaude, Service, httpx2.Client]]:
    with stage(**variables) as claude:
        from django.core.management import call_command

        from usage.models import ApiKey

        call_command("load_knowledge", stdout=io.StringIO())
        _, secret = ApiKey.objects.issue(name="load")
        service = Service()
        service.start()
        headers = {"Authorization": f"Bearer {secret}"}
        try:
            with httpx2.Client(base_url=service.url, headers=headers, timeout=60) as client:
                yield claude, service, client
        finally:
            servers.stop(service.process, signal.SIGTERM)


def conversation() -> None:
    with serving() as (claude, _, client):
        claude.say(ANSWER)
        for question in QUESTIONS:
            body = {"session_id": "carga", "message": question}
            answer = client.post("/api/chat/message", json=body)
            answer.raise_for_status()
        input_cost = uncached = Decimal(0)
        for bill in claude.bills:
            whole = bill.input + bill.write_5m + bill.write_1h + bill.read
            output = Decimal(10) * bill.output / 1_000_000
            input_cost += bill.usd - output
            uncached += Decimal(2) * whole / 1_000_000
        read = sum(bill.read for bill in claude.bills)
        total = sum(bill.input + bill.write_5m + bill.write_1h + bill.read for bill in claude.bills)
        report(
            "a conversation of 20 turns with retrieval in each",
            calls=len(claude.bills),
            input_cost=f"{input_cost:f}",
            the_same_uncached=f"{uncached:f}",
            ratio=f"{input_cost / uncached:.3f}",
            hit_rate=f"{read / total:.3f}",
            turns_from_the_second_without_a_read=sum(not bill.read for bill in claude.bills[1:]),
            ledger_equals_bill=ledger_total() == claude.billed_usd,
        )


def validations() -> None:
    with serving() as (claude, _, client):
        from tests.documents import document

        for number in range(1, 101):
            body = document(33, {"Encabezado/IdDoc/Folio": number})
            answer = client.post("/api/dte/validate", json=body, params={"ai": "always"})
            answer.raise_for_status()
        first, *others = claude.bills
        stable = first.write_5m + first.write_1h
        share = [bill.read / stable for bill in others]
        report(
            "100 different validations in a row",
            calls=len(claude.bills),
            stable_prefix_in_tokens=stable,
            share_of_it_read_after_the_first=f"{statistics.mean(share):.3f}",
            least_share=f"{min(share):.3f}",
            ledger_equals_bill=ledger_total() == claude.billed_usd,
        )


def down() -> None:
    with serving(ANTHROPIC_RETRIES="0", BREAKER_SECONDS="20") as (claude, _, client):
        ask = timed(client)
        for _ in range(3):
            ask("calentamiento")
        before = len(claude.requests)
        claude.then(*[Script(status=529, error_type="overloaded_error")] * 50)
        for _ in range(5):
            ask("caída")
        failed = len(claude.requests) - before
        answers = [ask("abierto") for _ in range(200)]
        leaving = len(claude.requests) - before - failed
        claude._scripts.clear()
        breaker = client.get("/health").json()["dependencies"]["anthropic"]
        while client.get("/health").json()["dependencies"]["anthropic"]["status"] != "ok":
            asked = len(claude.requests)
            if ask("recuperación")[1] != "offline":
                break
            time.sleep(0.2)
        times = sorted(seconds for seconds, _ in answers)
        report(
            "the provider is down",
            failures_that_opened_the_breaker=failed,
            state=breaker,
            requests_that_left_while_open=leaving,
            offline_answers=sum(used == "offline" for _, used in answers),
            offline_median=f"{statistics.median(times) * 1000:.1f} ms",
            offline_p95=f"{times[int(0.95 * len(times))] * 1000:.1f} ms",
            probes_until_recovery=len(claude.requests) - asked,
        )


def timed(client: httpx2.Client) -> Callable[[str], tuple[float, str]]:
    def ask(session: str) -> tuple[float, str]:
        body = {"session_id": f"{session}-{time.monotonic_ns()}", "message": QUESTIONS[1]}
        started = time.perf_counter()
        answer = client.post("/api/chat/message", json=body)
        seconds = time.perf_counter() - started
        answer.raise_for_status()
        return seconds, answer.json()["llm_used"]

    return ask


@contextmanager
def listening(claude: FakeClaude, client: httpx2.Client, count: int) -> Iterator[None]:
    """Have so many streams under way for a second or more; at the end wait until none is read."""

    def listen(number: int) -> None:
        body = {"session_id": f"s{number}", "message": QUESTIONS[number % len(QUESTIONS)]}
        try:
            with client.stream("POST", "/api/chat/message/stream", json=body) as answer:
                for _ in answer.iter_bytes():
                    pass
        except httpx2.TransportError:
            return

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        for number in range(count):
            pool.submit(listen, number)
        while claude.open_streams < count:
            time.sleep(0.02)
        time.sleep(1)
        yield


def crash() -> None:
    with serving() as (claude, service, client):
        from usage.models import BudgetWindow, UsageRecord

        claude.say("palabra " * 100)
        claude.pause = 0.05

        with listening(claude, client, 40):
            os.kill(service.process.pid, signal.SIGKILL)
            service.process.wait()
        left_open = UsageRecord.objects.filter(state="open").count()
        while claude.open_streams:
            time.sleep(0.02)
        started = time.perf_counter()
        service.start()
        while UsageRecord.objects.filter(state="open").exists():
            time.sleep(0.02)
        spent = BudgetWindow.objects.filter(api_key=None, period="day").get()
        report(
            "kill -9 with 40 streams under way",
            rows_left_open=left_open,
            rows_open_after_the_sweep=UsageRecord.objects.filter(state="open").count(),
            swept=UsageRecord.objects.filter(outcome="swept").count(),
            from_start_to_swept=f"{time.perf_counter() - started:.1f} s",
            ledger=f"{ledger_total():f}",
            bill=f"{claude.billed_usd:f}",
            ledger_by_bill=f"{ledger_total() / claude.billed_usd:.3f}",
            ledger_covers_the_bill=ledger_total() >= claude.billed_usd,
            window_equals_the_ledger=(spent.spent_usd, spent.held_usd) == (ledger_total(), 0),
        )


def stop() -> None:
    with serving(DRAIN_SECONDS="1") as (claude, service, client):
        from usage.models import UsageRecord

        claude.say("palabra " * 400)
        claude.pause = 0.05

        with listening(claude, client, 20):
            code = servers.stop(service.process, signal.SIGTERM)
        while claude.open_streams:
            time.sleep(0.02)
        report(
            "SIGTERM with 20 streams under way, none of which ends in time",
            exit_code=code,
            rows_left_open=UsageRecord.objects.filter(state="open").count(),
            settled_as_cancelled=UsageRecord.objects.filter(outcome="cancelled").count(),
            ledger=f"{ledger_total():f}",
            bill=f"{claude.billed_usd:f}",
            ledger_covers_the_bill=ledger_total() >= claude.billed_usd,
        )
        service.start()


def ledger_total() -> Any:
    from django.db.models import Sum

    from usage.models import UsageRecord

    return UsageRecord.objects.aggregate(sum=Sum("cost_usd", default=Decimal(0)))["sum"]


MEASURES = {
    "conversation": conversation,
    "validations": validations,
    "down": down,
    "crash": crash,
    "stop": stop,
}


def main() -> None:
    names = sys.argv[1:] or list(MEASURES)
    if len(names) == 1:
        MEASURES[names[0]]()
    else:  # Django has one database for each process
        for name in names:
            subprocess.run([sys.executable, "-m", "tests.load.service", name], check=True)


if __name__ == "__main__":
    main()
