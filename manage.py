#!/usr/bin/env python
"""Django's command line. It works in development mode unless ENVIRONMENT says otherwise."""

import os
import sys


def main() -> None:
    """Run the command; what an operator can set right ends it with one sentence.

    Raises:
        SystemExit: A setting or the database cannot be used. ``--traceback`` shows where instead.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aiservice.settings")
    os.environ.setdefault("ENVIRONMENT", "development")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import DatabaseError, OperationalError, ProgrammingError

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as exc:
        if "--traceback" in sys.argv:
            raise
        sys.exit(str(exc))
    except DatabaseError as exc:
        # SQLite says 'file is not a database' with the bare class, and of its children only two are
        # about the database itself: not there, not ours to use, or without its tables.
        unusable = type(exc) in {DatabaseError, OperationalError, ProgrammingError}
        if not unusable or "--traceback" in sys.argv:
            raise
        sys.exit(
            f"The database cannot be used: {str(exc).splitlines()[0]}. DATABASE_URL names another one, "
            "STATE_DIR another place for SQLite's, and 'manage.py migrate' makes its tables."
        )
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
