"""The rules, one family per module; importing this package registers them all."""

from importlib import import_module
from pkgutil import iter_modules

from dte.rules.registry import REGISTRY

__all__ = ["REGISTRY"]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
