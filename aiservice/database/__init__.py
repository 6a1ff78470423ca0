"""Django's PostgreSQL backend for a server: it does not wait for a database that is away.

Django loads ``aiservice.database.base`` by the name in ``DATABASES``. In management commands it behaves
as its parent: a load or a migration may take as long as it takes. `serve` turns the bounds on.
"""
