"""Structured logs: one JSON object per line on standard error, for our code and for libraries alike.

Log calls carry facts (ids, counts, milliseconds), never message text, documents, keys or RUTs.
"""

import logging.config

import structlog
from structlog.tracebacks import ExceptionDictTransformer

# Frames without their local variables, which hold keys, documents and messages.
_render_exception = structlog.processors.ExceptionRenderer(
    ExceptionDictTransformer(show_locals=False)
)

# What every line carries, whether it comes from structlog or from the standard library.
_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

# One list, however often it is applied: loggers in use keep the one that they began with.
_PROCESSORS: list[structlog.typing.Processor] = [
    structlog.stdlib.filter_by_level,  # what is below the level costs nothing more
    *_SHARED,
    structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
]


def logging_config(level: str) -> dict[str, object]:
    """Return Django's ``LOGGING`` dictionary.

    Args:
        level: Threshold of the root logger, such as ``INFO``.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _SHARED,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    _render_exception,
                    structlog.processors.JSONRenderer(ensure_ascii=False),
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Our middleware writes one access line per request, without query strings.
            "django.request": {"level": "ERROR"},
            "django.channels.server": {"level": "WARNING"},
            "daphne": {"level": "WARNING"},
            "axes": {"level": "ERROR"},  # it names users; aiservice.logins says who tried
            "httpx2": {"level": "WARNING"},
            "anthropic": {"level": "WARNING"},
        },
    }


def configure(config: dict[str, object]) -> None:
    """Apply ``LOGGING`` and route structlog through it; named by ``LOGGING_CONFIG``."""
    logging.config.dictConfig(config)
    structlog.configure(
        processors=_PROCESSORS,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
