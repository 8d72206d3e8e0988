"""Every bar in one table: which row it judges, against which yardstick, what it must and what it should reach.

The figures are those that docs/performance.md explains. A bar against a yardstick is a ratio, because absolute figures differ from
machine to machine and from hour to hour; the others are absolute.
"""

from __future__ import annotations

from dataclasses import dataclass

# The yardsticks, measured in the same run.
BARE = "F"  # requests/s of a bare Flask application under the broker's gunicorn settings
INSERT = "M"  # documents/s of a journaled insert_many
BCRYPT = "cores/B"  # password checks/s that the cores can do
EMPTY = "E"  # the same door while the store is empty and has only the indexes that the order of time and names need

# What concurrency the log door and the logins have while both run.
STORM = 16


@dataclass(frozen=True, slots=True)
class Bar:
    """`must` and `aim` are multiples of the yardstick, or figures in the row's own unit where there is none."""

    row: str
    concurrency: int
    must: float
    aim: float
    yardstick: str = ""
    lower_is_better: bool = False
    remark: str = ""


def _latency(row: str) -> Bar:
    return Bar(f"{row} p99", 64, 60, 40, lower_is_better=True, remark="every log path")


def _at_most(must: float, aim: float, unit: str, *rows: str) -> list[Bar]:
    return [Bar(row, 1, must, aim, lower_is_better=True, remark=unit) for row in rows]


BARS = (
    Bar("handle-log", 64, 0.50, 0.70, BARE, remark="the default protocol"),
    Bar("log-grpc", 64, 0.40, 0.50, BARE, remark="a pooled channel"),
    Bar("handle-log-amqp", 64, 0.40, 0.50, BARE, remark="confirmed and routed, confirms shared"),
    Bar("logger-log", 64, 0.75, 1.50, BARE, remark="one hop; the aim is the Go original's figure"),
    *map(_latency, ("handle-log", "handle-log-http", "handle-log-grpc", "handle-log-amqp", "log-grpc", "logger-log")),
    Bar("jsonrpc", 16, 12_000, 25_000, remark="16 pipelining connections"),
    Bar("grpc-bulk", 64, 0.25, 0.50, INSERT, remark="500 entries a call"),
    Bar("logger-bulk", 64, 0.25, 0.50, INSERT, remark="NDJSON, 1,000 entries a request"),
    Bar("drain", 1, 15_000, 30_000, remark="RabbitMQ to the journaled store"),
    *(Bar("handle-auth", at, 0.95, 0.98, BCRYPT, remark="nothing but bcrypt may cost") for at in (1, 16, 64)),
    Bar("handle-log p99 beside logins", STORM, 250, 100, lower_is_better=True, remark="logins saturate the CPUs"),
    *(
        Bar(f"idle-memory {service}", 1, 128, 80, lower_is_better=True, remark="PSS")
        for service in ("auth", "broker", "frontend", "keeper", "logger", "mailer", "worker")
    ),
    Bar("idle-memory system", 1, 1024, 700, lower_is_better=True, remark="PSS, with its servers"),
    Bar("up-warm", 1, 10, 6, lower_is_better=True),
    Bar("up-cold", 1, 60, 25, lower_is_better=True),
    # with two million entries in the store
    *_at_most(50, 25, "p95", "page name", "page level", "page service", "page trace"),
    *_at_most(1.5, 1.2, "medians", "page 1,000 to page 1", "page 1,000 to page 1 of a name"),
    *_at_most(300, 100, "p95", "words once", "words fifty", "words often", "words absent", "words two"),
    *_at_most(1_000, 300, "p95", "histogram 24 h"),
    Bar("export", 1, 50_000, 75_000, remark="NDJSON through the broker"),
    *_at_most(250, 100, "p95 from the sending", "tail"),
    *(
        Bar(f"{row} seeded", 64, 0.85, 0.95, EMPTY, remark="searching costs writers little")
        for row in ("handle-log", "logger-log", "logger-bulk")
    ),
)

# Rows that are set against a yardstick and have no bar, at least not yet. Mail is to reach 0.22 F (aim 0.35) once a durable outbox takes it.
COMPARED = {
    "broker-hit": BARE,
    "handle-log-http": BARE,
    "handle-log-grpc": BARE,
    "handle-mail": BARE,
    "broker-bulk": INSERT,
}

# The Go original on two cores, requests/s at 64 connections, MongoDB not journaled; and F on that machine at that time.
PEER_BARE = 11_400.0
PEER = {
    "broker-hit": 82_000.0,
    "logger-log": 14_500.0,
    "handle-log": 3_610.0,
    "handle-log-http": 5_470.0,
    "log-grpc": 2_800.0,
    "handle-log-amqp": 1_770.0,
    "handle-mail": 2_130.0,
}
# The same for figures that are not set against F, in the row's own unit.
PEER_ABSOLUTE = {"drain": 5_400.0}


def bar_of(row: str, concurrency: int) -> Bar | None:
    return next((bar for bar in BARS if (bar.row, bar.concurrency) == (row, concurrency)), None)


def yardstick_of(row: str) -> str:
    """The yardstick that a row is set against at every concurrency, empty for none."""
    return next((bar.yardstick for bar in BARS if bar.row == row), COMPARED.get(row, ""))
