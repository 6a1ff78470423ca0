"""Writes dashboards/aiservice.json: ``python deploy/grafana/dashboard.py``. A test holds the two together."""

import json
from itertools import count
from pathlib import Path
from typing import Any, Final

TARGET: Final = Path(__file__).parent / "dashboards" / "aiservice.json"
SOURCE: Final = {"type": "prometheus", "uid": "prometheus"}
PROBES: Final = 'view!~"health|ready|live|metrics"'
RESPONSES: Final = "django_http_responses_total_by_status_view_method_total"
LATENCY: Final = "django_http_requests_latency_seconds_by_view_method_bucket"
RANGE: Final = "$__rate_interval"

Query = tuple[str, str]  # PromQL, and the legend
# title, kind, unit, width, queries
Panel = tuple[str, str, str, int, list[Query]]


def quantile(share: float, family: str, by: str = "", where: str = "") -> str:
    """Return the PromQL of a quantile of a histogram."""
    labels = f"le, {by}" if by else "le"
    rate = f"rate({family}{{{where}}}[{RANGE}])"
    return f"histogram_quantile({share}, sum by ({labels}) ({rate}))"


PANELS: Final[list[Panel]] = [
    ("Alertas activas", "stat", "short", 4, [('count(ALERTS{alertstate="firing", alertname!="Watchdog"}) or vector(0)', "")]),
    ("PostgreSQL", "stat", "bool_on_off", 4, [('min(aiservice_dependency_up{dependency="database"})', "")]),
    ("Redis", "stat", "bool_on_off", 4, [('min(aiservice_dependency_up{dependency="redis"})', "")]),
    ("Costo de hoy", "stat", "currencyUSD", 4, [('max(aiservice_budget_spent_usd{period="day"})', "")]),
    ("Costo del mes", "stat", "currencyUSD", 4, [('max(aiservice_budget_spent_usd{period="month"})', "")]),
    ("Ahorro por caché de prompts, 24 h", "stat", "percentunit", 4, [(
        # What was read cost a tenth of what it would have.
        '0.9 * sum(increase(aiservice_model_tokens_total{kind="cache_read"}[1d])) '
        '/ sum(increase(aiservice_model_tokens_total{kind!="output"}[1d]))', "")]),
    ("Solicitudes por segundo", "timeseries", "reqps", 12, [
        (f"sum by (status) (rate({RESPONSES}{{{PROBES}}}[{RANGE}]))", "{{status}}")]),
    ("Fallas (5xx)", "timeseries", "percentunit", 12, [
        (f'sum(rate({RESPONSES}{{status=~"5..", {PROBES}}}[{RANGE}])) / sum(rate({RESPONSES}{{{PROBES}}}[{RANGE}]))', "5xx")]),
    ("Latencia por ruta, p95", "timeseries", "s", 12, [
        (quantile(0.95, LATENCY, "view", PROBES), "{{view}}")]),
    ("Claude: primer texto y llamada completa", "timeseries", "s", 12, [
        (quantile(0.5, "aiservice_model_first_text_seconds_bucket"), "primer texto, p50"),
        (quantile(0.95, "aiservice_model_first_text_seconds_bucket"), "primer texto, p95"),
        (quantile(0.95, "aiservice_model_seconds_bucket"), "llamada, p95")]),
    ("Llamadas a Claude por resultado", "timeseries", "reqps", 12, [
        (f"sum by (outcome) (rate(aiservice_model_calls_total[{RANGE}]))", "{{outcome}}")]),
    ("Costo por hora", "timeseries", "currencyUSD", 12, [
        ("sum by (operation) (increase(claude_api_cost_usd_total[1h]))", "{{operation}}")]),
    ("Tokens por clase", "timeseries", "short", 12, [
        (f"sum by (kind) (rate(aiservice_model_tokens_total[{RANGE}]))", "{{kind}}")]),
    ("Presupuesto más gastado", "timeseries", "percentunit", 12, [
        ("max by (scope, period) (aiservice_budget_ratio)", "{{scope}} {{period}}")]),
    ("Interruptor (0 cerrado, 1 a prueba, 2 abierto)", "timeseries", "short", 8, [
        ("max by (model) (aiservice_breaker_state)", "{{model}}")]),
    ("Respuestas del chat", "timeseries", "reqps", 8, [
        (f"sum by (llm_used, reason) (rate(aiservice_chat_answers_total[{RANGE}]))", "{{llm_used}} {{reason}}"),
        (f"sum by (why) (rate(aiservice_chat_unanswered_total[{RANGE}]))", "sin respuesta: {{why}}")]),
    ("Búsquedas", "timeseries", "reqps", 8, [
        (f"sum by (result) (rate(aiservice_knowledge_searches_total[{RANGE}]))", "{{result}}")]),
    ("Validaciones por recomendación", "timeseries", "reqps", 12, [
        (f"sum by (recommendation) (rate(aiservice_dte_validations_total[{RANGE}]))", "{{recommendation}}")]),
    ("Validaciones por tipo, 24 h", "bargauge", "short", 12, [
        ("sort_desc(sum by (kind, tipo) (increase(aiservice_dte_validations_total[1d])))", "{{kind}} {{tipo}}")]),
    ("Límite de solicitudes", "timeseries", "reqps", 8, [
        (f"sum by (decision) (rate(aiservice_rate_limit_total[{RANGE}]))", "{{decision}}"),
        (f"sum(rate(aiservice_rate_limit_fallback_total[{RANGE}]))", "sin Redis")]),
    ("Libro de llamadas", "timeseries", "short", 8, [
        ("max(aiservice_ledger_open)", "abiertas"), ("sum(aiservice_ledger_spooled)", "en disco"),
        ("max(aiservice_ledger_spool_damaged)", "dañadas")]),
    ("Edad del último respaldo", "timeseries", "s", 8, [
        ("time() - max by (of) (aiservice_backup_newest_seconds > 0)", "{{of}}")]),
    ("Redis: memoria usada", "timeseries", "bytes", 8, [
        ("redis_memory_used_bytes", "{{instance}}")]),
    ("Redis: réplicas y centinelas", "timeseries", "short", 8, [
        ("min(redis_sentinel_master_ok_slaves)", "réplicas"), ("min(redis_sentinel_master_ok_sentinels)", "centinelas")]),
    ("Redis: comandos por segundo", "timeseries", "ops", 8, [
        (f"sum by (instance) (rate(redis_commands_processed_total[{RANGE}]))", "{{instance}}")]),
    ("PostgreSQL: conexiones", "timeseries", "short", 8, [
        ("sum(pg_stat_database_numbackends)", "en uso"), ("max(pg_settings_max_connections)", "máximo")]),
    ("PostgreSQL: transacciones por segundo", "timeseries", "ops", 8, [
        (f"sum(rate(pg_stat_database_xact_commit[{RANGE}]))", "confirmadas"),
        (f"sum(rate(pg_stat_database_xact_rollback[{RANGE}]))", "deshechas")]),
    ("PostgreSQL: tamaño", "timeseries", "bytes", 8, [
        ("max by (datname) (pg_database_size_bytes)", "{{datname}}")]),
]  # fmt: skip


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana reads it."""
    numbers, x, y, panels = count(1), 0, 0, []
    for title, kind, unit, width, queries in PANELS:
        if x + width > 24:
            x, y = 0, y + 8
        panels.append(
            {
                "id": next(numbers),
                "title": title,
                "type": kind,
                "datasource": SOURCE,
                "gridPos": {"x": x, "y": y, "w": width, "h": 4 if kind == "stat" else 8},
                "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
                "targets": [
                    {
                        "refId": chr(ord("A") + number),
                        "expr": expression,
                        "legendFormat": legend,
                        "datasource": SOURCE,
                    }
                    for number, (expression, legend) in enumerate(queries)
                ],
            }
        )
        x += width
    return {
        "uid": "aiservice",
        "title": "Servicio de IA",
        "schemaVersion": 41,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "America/Santiago",
        "tags": ["aiservice"],
        "panels": panels,
    }


def text() -> str:
    """Return the file."""
    return json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
