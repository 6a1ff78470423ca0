"""Statements that every call runs, compiled once.

Django compiles a query anew each time it is run: most of a millisecond where sending it and reading the
answer takes a tenth of one, and a chat message has nine. Here the text is kept. Tables, columns and the
conversion of values still come from the models, so that a new column is in the statement by itself. No
signals are sent. What is not run for every call uses the ORM itself.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from types import SimpleNamespace
from typing import Any, Final, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Model, QuerySet, TextField
from django.db.models.query import ModelIterable, get_related_populators

from usage.direct import Answer, Pending, Row, Statement, is_direct, run_together

R = TypeVar("R")


class Prepared(Generic[R]):
    """A query over a few values that change.

    Args:
        build: Returns the query for such values: of models, or a ``values_list``.
        *examples: A value for each, to find its places in the statement by: one that appears nowhere else
            in it.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, R]], *examples: Any) -> None:
        self._build = build
        self._examples = examples
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, *values: Any) -> list[R]:
        """Run the query and return what it yields."""
        connection = connections[DEFAULT_DB_ALIAS]  # looked up once: each time goes by the context
        known = self._compiled.get(connection.vendor)
        if known is None:
            known = self._compiled[connection.vendor] = self._compile(connection)
        adapted = [_adapted(connection, value) for value in values]
        found = known.statement.run(
            connection,
            [fixed if place is None else adapted[place] for fixed, place in known.parameters],
        )
        return [known.make(row) for row in known.converted(found.rows)]

    def _compile(self, connection: BaseDatabaseWrapper) -> "_Compiled":
        found = self._build(*self._examples)
        compiler: Any = found.query.get_compiler(connection=connection)
        text, parameters = compiler.as_sql()
        examples = [_adapted(connection, example) for example in self._examples]
        converters = compiler.get_converters([expression for expression, *_ in compiler.select])
        return _Compiled(
            Statement(text),
            [(one, examples.index(one) if one in examples else None) for one in parameters],
            lambda rows: compiler.apply_converters(rows, converters) if converters else rows,
            _maker(compiler) if issubclass(found._iterable_class, ModelIterable) else tuple,
        )


@dataclass(frozen=True)
class _Compiled:
    statement: Statement
    parameters: list[
        tuple[Any, int | None]
    ]  # a value that never changes, or the place of one that does
    converted: Callable[[list[Row]], Iterable[Sequence[Any]]]
    make: Callable[[Sequence[Any]], Any]


def _maker(compiler: Any) -> Callable[[Sequence[Any]], Model]:
    """Return what makes a row a model with what is selected beside it, as `ModelIterable` does."""
    info = compiler.klass_info
    first, last = info["select_fields"][0], info["select_fields"][-1] + 1
    names = [column[0].target.attname for column in compiler.select[first:last]]
    # The stubs are of a later Django.
    related = get_related_populators(info, compiler.select, DEFAULT_DB_ALIAS)  # type: ignore[call-arg]

    def make(row: Sequence[Any]) -> Model:
        instance: Model = info["model"].from_db(DEFAULT_DB_ALIAS, names, row[first:last])
        for populator in related:
            populator.populate(row, instance)
        return instance

    return make


def insert(instance: Model) -> None:
    """Insert a row; its primary key is set if the database makes it."""
    send_instance(instance).result()


def send(
    model: type[Model],
    values: Mapping[str, Any],
    *,
    conflict: Collection[str] = (),
    update: Collection[str] = (),
    refusal: type[Exception] | None = None,
) -> Pending:
    """Insert a row with the next statement of the transaction; its answer has the row's primary key.

    Args:
        model: What it is a row of.
        values: By the names of its fields, ``_id`` included where they are another row's; the others get
            their defaults.
        conflict: Unique fields; where there is such a row already, it is changed instead,
        update: in these fields.
        refusal: What is raised if a constraint forbids it.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    row = _row(connection.vendor, model, tuple(values), tuple(conflict), tuple(update))
    return row.statement.send(connection, row.of(values, connection), refusal=refusal)


def send_instance(instance: Model) -> Pending:
    """Insert a row with the next statement; a primary key that the database makes is set then."""
    connection = connections[DEFAULT_DB_ALIAS]
    made = instance.pk is None
    statement, columns = _insert(connection.vendor, type(instance), made)

    def stored(answer: Answer) -> None:
        if made:
            ((instance.pk,),) = answer.rows
        _is_stored(instance)

    values = [column.of(instance, connection) for column in columns]
    return statement.send(connection, values, then=stored)


def insert_together(*instances: Model) -> None:
    """Insert rows in their order, all of them or none; keys that the database makes are not learnt.

    PostgreSQL is sent one message, which is a transaction by itself: nothing waits for the answer to
    ``BEGIN``, to each row and to ``COMMIT``.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    made = [
        (statement, [column.of(instance, connection) for column in columns])
        for instance in instances
        for statement, columns in [_insert(connection.vendor, type(instance), instance.pk is None)]
    ]
    if is_direct(connection):
        run_together(connection, made)
    else:
        with transaction.atomic(savepoint=False):
            for statement, values in made:
                statement.run(connection, values)
    for instance in instances:
        _is_stored(instance)


def _is_stored(instance: Model) -> None:
    instance._state.adding = False
    instance._state.db = DEFAULT_DB_ALIAS


def send_update(
    model: type[Model], where: Mapping[str, Any], changes: Mapping[str, Any]
) -> Pending:
    """Change the rows whose fields have some values, with the next statement of the transaction."""
    connection = connections[DEFAULT_DB_ALIAS]
    statement, fields = _update(connection.vendor, model, tuple(where), tuple(changes))
    values = [
        field.get_db_prep_save(value, connection)
        for field, value in zip(fields, (*changes.values(), *where.values()), strict=True)
    ]
    return statement.send(connection, values)


@cache
def _insert(vendor: str, model: type[Model], made: bool) -> "tuple[Statement, list[_Column]]":
    columns = [_Column(field) for field in _fields(model, made=made)]
    return Statement(_insertion(model, columns, made=made)), columns


def _fields(model: type[Model], *, made: bool) -> list[Any]:
    fields = model._meta.local_concrete_fields
    return [field for field in fields if not (made and field.primary_key)]


def _insertion(model: type[Model], columns: "Sequence[_Column]", *, made: bool) -> str:
    meta = model._meta
    names = ", ".join(_name_of(column.field) for column in columns)
    places = ", ".join(["%s"] * len(columns))
    text = f"INSERT INTO {_quoted(meta.db_table)} ({names}) VALUES ({places})"  # noqa: S608  # names alone
    return f"{text} RETURNING {_name_of(meta.pk)}" if made else text


class _Column:
    """A column of a row that is inserted."""

    def __init__(self, field: Any) -> None:
        self.field = field
        # Text goes in as it is, which most columns are.
        self._is_text = type(field) in (CharField, TextField)

    def of(self, instance: Model, connection: BaseDatabaseWrapper) -> Any:
        """Return the value of a row as the driver takes it."""
        if self._is_text and type(value := getattr(instance, self.field.attname)) is str:
            return value
        return self.prepared(self.field.pre_save(instance, True), connection)

    def prepared(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        """Return a value as the driver takes it."""
        if self._is_text and type(value) is str:
            return value
        return self.field.get_db_prep_save(value, connection)

    @property
    def default_varies(self) -> bool:
        """Whether a row gets what is made for it alone, such as the time."""
        field = self.field
        timed = getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False)
        return timed or (field.has_default() and callable(field.default))

    def default(self, connection: BaseDatabaseWrapper) -> Any:
        """Return what a row gets that says nothing of this column."""
        blank: Any = SimpleNamespace(**{self.field.attname: self.field.get_default()})
        return self.of(blank, connection)


class _Row:
    """How a row is inserted of which some columns are given."""

    def __init__(
        self, statement: Statement, columns: Sequence[_Column], given: Collection[str]
    ) -> None:
        connection = connections[DEFAULT_DB_ALIAS]
        named = {
            name: column for column in columns for name in (column.field.name, column.field.attname)
        }
        places = {column: place for place, column in enumerate(columns)}
        self.statement = statement
        self._given = [(places[named[name]], name, named[name]) for name in given]
        absent = [column for column in columns if column not in {one for *_, one in self._given}]
        self._varying = [(places[column], column) for column in absent if column.default_varies]
        self._fixed: list[Any] = [None] * len(columns)
        for column in absent:
            if not column.default_varies:
                self._fixed[places[column]] = column.default(connection)

    def of(self, values: Mapping[str, Any], connection: BaseDatabaseWrapper) -> list[Any]:
        """Return a row as the driver takes it."""
        row = self._fixed.copy()
        for place, name, column in self._given:
            row[place] = column.prepared(values[name], connection)
        for place, column in self._varying:
            row[place] = column.default(connection)
        return row


@cache
def _row(
    vendor: str, model: type[Model], given: tuple[str, ...], conflict: Row, update: Row
) -> _Row:
    meta = model._meta
    made = meta.pk.name not in given and not meta.pk.has_default()
    columns = [_Column(field) for field in _fields(model, made=made)]
    text = _insertion(model, columns, made=False)
    if conflict:
        unique = ", ".join(_name_of(meta.get_field(name)) for name in conflict)
        changes = ", ".join(
            f"{column} = EXCLUDED.{column}"
            for column in (_name_of(meta.get_field(name)) for name in update)
        )
        text += f" ON CONFLICT ({unique}) DO UPDATE SET {changes}"
    return _Row(Statement(f"{text} RETURNING {_name_of(meta.pk)}"), columns, given)


@cache
def _update(
    vendor: str, model: type[Model], where: Row, changes: Row
) -> tuple[Statement, list[Any]]:
    changed, known = ([model._meta.get_field(name) for name in names] for names in (changes, where))
    assignments = ", ".join(f"{_name_of(field)} = %s" for field in changed)
    conditions = " AND ".join(f"{_name_of(field)} = %s" for field in known)
    text = f"UPDATE {_quoted(model._meta.db_table)} SET {assignments} WHERE {conditions}"  # noqa: S608  # names alone
    return Statement(text), [*changed, *known]


def _name_of(field: Any) -> str:
    return _quoted(field.column)


def _quoted(name: str) -> str:
    return str(connections[DEFAULT_DB_ALIAS].ops.quote_name(name))


_ADAPTERS: Final[Mapping[type, str]] = {
    datetime: "adapt_datetimefield_value",
    date: "adapt_datefield_value",
}


def _adapted(connection: BaseDatabaseWrapper, value: Any) -> Any:
    adapter = _ADAPTERS.get(type(value))
    return value if adapter is None else getattr(connection.ops, adapter)(value)
