"""A ledger of any size, made by bulk SQL: 90 days of calls that end at a given instant.

Two services with two models each, three layers, 20 jobs, 200 runs; every 21st call failed. The
sums are those of the rows, as `switchgear ledger verify` says.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from switchgear.clock import SystemClock
from switchgear.ledger import Ledger
from switchgear.ledger.schema import BUCKET_US, SUMS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["DAYS", "build", "jobs_of"]

DAYS = 90
JOBS = 20
DAY_US = 86_400_000_000
CHUNK = 100_000
BYTES_A_ROW = 700
"""Row, indexes, and as much again while the indexes are made."""

ROWS = """
INSERT INTO attempts (seq, call_id, attempt, started_at, service, endpoint, asked_model, model, job, run, layer, tags,
  status, http_status, streamed, estimated, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
  reasoning_tokens, units, reserved, cost, price_version, waited_us, duration_us, trace_id, span_id)
WITH RECURSIVE numbers(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :last)
SELECT n + 1, printf('01%024d', n), 1, :start + n * :step,
  CASE n % 2 WHEN 0 THEN 'openai' ELSE 'anthropic' END, '/v1/chat/completions',
  printf('model-%d', n % 4), printf('model-%d', n % 4), printf('job-%02d', n / 7 % 20), printf('run-%03d', n / 7 % 200),
  printf('layer-%d', n / 4 % 3), CASE n % 10 WHEN 0 THEN printf('{"customer":"c%d"}', n / 10 % 9) ELSE '{}' END,
  CASE n % 21 WHEN 13 THEN 'failed' ELSE 'ok' END, CASE n % 21 WHEN 13 THEN 500 ELSE 200 END, 0, 0,
  1000 + n % 97, 300 + n % 31, n % 11, 0, 0, '{}', 4000000, 1500000 + n % 1009, '2026-11-01', n % 50,
  800000 + n % 5000, printf('%032x', n), printf('%016x', n)
FROM numbers
"""

GROUPED = "count(*), {}, sum(cost), 0, sum(estimated), sum(duration_us), sum(waited_us)".format(
    ", ".join(f"sum({name})" for name in SUMS[1:6])
)


def jobs_of() -> tuple[str, ...]:
    """Return the names of all jobs."""
    return tuple(f"job-{number:02}" for number in range(JOBS))


def build(path: Path, *, rows: int, until_us: int) -> float:
    """Make the ledger at *path*, *rows* attempts over 90 days before *until_us*; return the seconds it took.

    Raises:
        OSError: too little room on the disk.
    """
    free = shutil.disk_usage(path.parent).free
    if free < rows * BYTES_A_ROW:
        msg = f"{rows:,} rows need {rows * BYTES_A_ROW / 1e9:.1f} GB in {path.parent}, and {free / 1e9:.1f} GB are free"
        raise OSError(msg)
    began = time.perf_counter()
    with Ledger.open(f"sqlite:///{path}", clock=SystemClock()):
        pass
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000", "temp_store = MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        with without_indexes(connection):
            fill(connection, rows=rows, until_us=until_us)
        connection.execute("PRAGMA journal_mode = WAL")
    return time.perf_counter() - began


def fill(connection: sqlite3.Connection, *, rows: int, until_us: int) -> None:
    """Add the attempts, a chunk at a time, and the sums of each chunk."""
    step = DAYS * DAY_US // rows
    start = until_us - rows * step
    with bar(rows) as advance:
        for first in range(0, rows, CHUNK):
            last = min(rows, first + CHUNK)
            connection.execute("BEGIN")
            connection.execute(ROWS, {"first": first, "last": last, "start": start, "step": step})
            add_sums(connection, first)
            connection.execute("COMMIT")
            advance(last - first)


def add_sums(connection: sqlite3.Connection, first: int) -> None:
    """Add attempts from number *first* on to roll-ups and job totals, as the writer would."""
    names = ", ".join(SUMS)
    for table, key, of in (
        (
            "rollups",
            "bucket_start, service, model, layer, key, status",
            (
                f"started_at - started_at % {BUCKET_US}, service, coalesce(model, ''), coalesce(layer, ''), "
                "coalesce(key, ''), status"
            ),
        ),
        ("job_totals", "job, status", "coalesce(job, ''), status"),
    ):
        added = ", ".join(f"{name} = {name} + excluded.{name}" for name in SUMS)
        places = ", ".join(str(at + 1) for at in range(len(key.split(","))))
        connection.execute(
            f"INSERT INTO {table} ({key}, {names}) SELECT {of}, {GROUPED} FROM attempts WHERE seq > {first} "  # noqa: S608 - names of the schema
            f"GROUP BY {places} ON CONFLICT ({key}) DO UPDATE SET {added}"
        )


@contextmanager
def without_indexes(connection: sqlite3.Connection) -> Iterator[None]:
    """Drop the indexes of attempts, and make them again at the end: each in one sorted pass."""
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'attempts' AND sql IS NOT NULL"
    found = connection.execute(query).fetchall()
    for name, _ in found:
        connection.execute(f"DROP INDEX {name}")
    yield
    for name, statement in found:
        say(f"index {name}")
        connection.execute(statement)


@contextmanager
def bar(total: int) -> Iterator[Advance]:
    """Yield a function that is told how many rows more are there; it shows rate and time left on standard error."""
    yield Advance(total)
    say("")


class Advance:
    """A progress bar; on no terminal, a line every tenth."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.began = time.perf_counter()
        self.told = 0

    def __call__(self, count: int) -> None:
        """Take note of *count* rows more."""
        self.done += count
        rate = self.done / (time.perf_counter() - self.began)
        tenths = self.done * 10 // self.total
        text = f"{self.done:,} of {self.total:,} rows, {rate:,.0f} rows/s, ETA {(self.total - self.done) / rate:,.0f} s"
        if sys.stderr.isatty():
            sys.stderr.write(f"\r[{'#' * (tenths * 2):20}] {text}  ")
        elif tenths > self.told:
            self.told = tenths
            say(text)


def say(text: str) -> None:
    """Write *text* to standard error."""
    sys.stderr.write(f"{text}\n")
