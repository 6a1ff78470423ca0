#!/usr/bin/env python
"""Django's command line. It works in development mode unless ENVIRONMENT says otherwise."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aiservice.settings")
    os.environ.setdefault("ENVIRONMENT", "development")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
