"""Feedback on questions, on disk before it is acknowledged: SQLite, or any database that SQLAlchemy speaks to."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rac.errors import UserError
from rac.records import Passage

if TYPE_CHECKING:
    from sqlalchemy import Engine, Table


class StorageError(Exception):
    """Feedback could not be stored (disk full, database gone); nothing of it was acknowledged."""


@dataclass(frozen=True)
class Feedback:
    """What came of one question.

    Attributes:
        query: U_q.
        question: C_q.
        id: Unique; the same id is stored once.
        request_id: That of the answer.
        option: The option that was chosen.
        helpful: Whether the user found the question helpful.
        answer: What the user said in other words.
        comment: Free text.
        passages: D.
        candidates: All questions that were generated.
        model: What asked.
        client: Name of the API key.
        received: Unix time.
    """

    query: str
    question: str
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    request_id: str = ""
    option: str | None = None
    helpful: bool | None = None
    answer: str = ""
    comment: str = ""
    passages: tuple[Passage, ...] = ()
    candidates: tuple[str, ...] = ()
    model: str = ""
    client: str = ""
    received: float = field(default_factory=time.time)


class FeedbackStore:
    """Appends feedback. Safe to use from several threads and processes.

    Args:
        where: A file (SQLite) or an SQLAlchemy URL.
        create: Make the file or table where there is none; else a missing file is an error.

    Raises:
        UserError: if it cannot be opened.
    """

    def __init__(self, where: str | Path, *, create: bool = True) -> None:
        try:
            import sqlalchemy
        except ImportError as error:
            raise UserError(
                "feedback needs the package sqlalchemy, which is not installed: pip install 'rac-clarify[serve]'"
            ) from error
        self.name = str(where)
        self._lock = threading.Lock()
        try:
            url = sqlalchemy.make_url(str(where)) if "://" in str(where) else _sqlite_url(Path(where), create)
            self.name = url.render_as_string(hide_password=True) if url.get_backend_name() != "sqlite" else self.name
            self._engine: Engine = sqlalchemy.create_engine(url, pool_pre_ping=True, hide_parameters=True)
            if url.get_backend_name() == "sqlite":
                sqlalchemy.event.listen(self._engine, "connect", _durable)
            self._table = _table()
            if create:
                self._create()
            elif not sqlalchemy.inspect(self._engine).has_table(self._table.name):
                raise UserError(f"{self.name} holds no feedback: give the file that `rac serve` writes")
        except (sqlalchemy.exc.SQLAlchemyError, OSError, ImportError) as error:
            raise UserError(f"feedback cannot be kept in {self.name}: {_reason(error)}") from error

    def _create(self) -> None:
        import sqlalchemy

        try:
            self._table.metadata.create_all(self._engine)
        except sqlalchemy.exc.SQLAlchemyError:
            # Another worker may have made the table between the look and the making.
            if not sqlalchemy.inspect(self._engine).has_table(self._table.name):
                raise

    def add(self, feedback: Feedback) -> bool:
        """Store one entry; return False if its id is there already. When this returns, the entry survives a crash.

        Raises:
            StorageError: if it could not be stored.
        """
        import sqlalchemy

        row = {
            "id": feedback.id, "received": feedback.received, "request_id": feedback.request_id,
            "query": feedback.query, "question": feedback.question, "picked": feedback.option,
            "helpful": feedback.helpful, "answer": feedback.answer, "comment": feedback.comment,
            "passages": json.dumps([p.to_dict() for p in feedback.passages], ensure_ascii=False),
            "candidates": json.dumps(feedback.candidates, ensure_ascii=False), "model": feedback.model,
            "client": feedback.client,
        }  # fmt: skip
        try:
            with self._lock, self._engine.begin() as connection:
                connection.execute(self._table.insert(), row)
        except sqlalchemy.exc.IntegrityError:
            return False
        except sqlalchemy.exc.SQLAlchemyError as error:
            raise StorageError(_reason(error)) from error
        return True

    def __iter__(self) -> Iterator[Feedback]:
        """Yield everything in the order of arrival."""
        with self._engine.connect() as connection:
            order = (self._table.c.received, self._table.c.id)
            for row in connection.execute(self._table.select().order_by(*order)).mappings():
                yield _entry(row)

    def __len__(self) -> int:
        import sqlalchemy

        with self._engine.connect() as connection:
            return int(
                connection.execute(sqlalchemy.select(sqlalchemy.func.count()).select_from(self._table)).scalar_one()
            )

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


def _sqlite_url(path: Path, create: bool) -> Any:
    import sqlalchemy

    if not create and not path.is_file():
        raise UserError(f"no feedback at {path}: give the file that `rac serve` writes (it says where at its start)")
    if create:
        path.parent.mkdir(parents=True, exist_ok=True)
    return sqlalchemy.URL.create("sqlite", database=str(path))


def _durable(connection: Any, _: Any) -> None:
    """Make every commit wait for the disk, and writers of other processes wait for each other."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout = 10000")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _table() -> Table:
    import sqlalchemy as sa

    return sa.Table(
        "rac_feedback", sa.MetaData(),
        sa.Column("id", sa.String(64), primary_key=True), sa.Column("received", sa.Float, nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False), sa.Column("query", sa.Text, nullable=False),
        sa.Column("question", sa.Text, nullable=False), sa.Column("picked", sa.Text), sa.Column("helpful", sa.Boolean),
        sa.Column("answer", sa.Text, nullable=False), sa.Column("comment", sa.Text, nullable=False),
        sa.Column("passages", sa.Text, nullable=False), sa.Column("candidates", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False), sa.Column("client", sa.Text, nullable=False),
    )  # fmt: skip


def _entry(row: Any) -> Feedback:
    return Feedback(
        id=row["id"], received=row["received"], request_id=row["request_id"], query=row["query"],
        question=row["question"], option=row["picked"], helpful=row["helpful"], answer=row["answer"],
        comment=row["comment"], passages=tuple(Passage.model_validate(p) for p in json.loads(row["passages"])),
        candidates=tuple(json.loads(row["candidates"])), model=row["model"], client=row["client"],
    )  # fmt: skip


def _reason(error: BaseException) -> str:
    """Return the first line of what went wrong, without the statement and its values."""
    text = str(getattr(error, "orig", None) or error).strip().splitlines()
    return text[0][:200] if text else type(error).__name__
