"""The static files of test clients, listed once: each client makes the middleware anew, which stats hundreds."""

from typing import Any

from servestatic.middleware import ServeStaticMiddleware

_list = ServeStaticMiddleware.add_files_from_finders
_listed: dict[str, Any] = {}


def install() -> None:
    """List them once in this process."""
    ServeStaticMiddleware.add_files_from_finders = add_files


def add_files(self: ServeStaticMiddleware) -> None:
    """Stand in for the middleware's own."""
    if not _listed:
        _list(self)
        _listed.update(files=self.files, directories=self.directories)
    self.files, self.directories = _listed["files"], _listed["directories"]
