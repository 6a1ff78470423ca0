"""The database of the settings: PostgreSQL behind our pool, or SQLite for one process."""

from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from aiservice.environment import Environment


def database(env: Environment, state_dir: Path, *, production: bool) -> dict[str, Any]:
    """Build ``DATABASES['default']`` from ``DATABASE_URL``; SQLite in ``state_dir`` without it.

    Raises:
        ImproperlyConfigured: for SQLite in production, unless ``ALLOW_SQLITE`` accepts it.
    """
    config = env.database("DATABASE_URL") or {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": state_dir / "aiservice.sqlite3",
    }
    if config["ENGINE"].endswith("sqlite3"):
        if production and not env.flag("ALLOW_SQLITE", default=False):
            raise ImproperlyConfigured(
                "Production needs DATABASE_URL=postgres://…; ALLOW_SQLITE=true accepts SQLite "
                "knowingly, for a single process on a single host."
            )
        state_dir.mkdir(parents=True, exist_ok=True)
        # WAL lets readers work beside the one writer; IMMEDIATE makes writers wait for their turn
        # instead of failing when a read turns into a write.
        # A connection lives as long as its thread. Were the last one to close after a request, SQLite
        # would copy the whole log back and sync the disk, which takes longer than the request.
        config["CONN_MAX_AGE"] = None
        config["OPTIONS"] = {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            **config.get("OPTIONS", {}),  # what the URL asks for: sqlite:////path?timeout=5
        }
    else:
        config["ENGINE"] = "aiservice.database"
        options = config.setdefault("OPTIONS", {})
        # Of requests only: a load or a migration takes as long as it takes. The last one ends the
        # transaction of a server that was frozen in it, for its locks hold up the others.
        options["serving_options"] = " ".join(
            f"-c {name}={int(1000 * seconds)}"
            for name, seconds in (
                (
                    "statement_timeout",
                    env.seconds("DATABASE_STATEMENT_TIMEOUT", default=15, low=0.1),
                ),
                ("lock_timeout", env.seconds("DATABASE_LOCK_TIMEOUT", default=5, low=0.1)),
                ("idle_in_transaction_session_timeout", 15),
            )
        )
        # A plan for whatever value may come reads far more than one for the value that came.
        options["serving_options"] += " -c plan_cache_mode=force_custom_plan"
        # Under ASGI every request would open a connection of its own: a pool instead of CONN_MAX_AGE.
        largest = env.integer("DATABASE_POOL_MAX", default=10, low=1)
        options["pool"] = {
            "min_size": env.integer("DATABASE_POOL_MIN", default=min(2, largest), high=largest),
            "max_size": largest,
            "timeout": env.seconds("DATABASE_POOL_TIMEOUT", default=5, low=0.01),
        }
    return config
