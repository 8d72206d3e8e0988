"""What a person asks of a running system: its state, its addresses, its variables."""

from __future__ import annotations

from compose.local import control, environment
from compose.local.keeper import State
from compose.local.paths import Instance
from compose.local.plan import load
from compose.local.terminal import columns, complain, paint, say

_COLOURS = {State.READY: "green", State.DONE: "green", State.FAILED: "red", State.STOPPED: "grey"}


def fetch(instance: Instance, *, memory: bool = False) -> list[control.Reply]:
    """Every part as the supervisor sees it. Raises NotRunningError."""
    parts: list[control.Reply] = control.ask(instance, "status", memory=memory)["parts"]
    return parts


def status(instance: Instance) -> int:
    """Returns 0 when all parts that are on are ready, 1 when one is not, 3 when nothing runs."""
    try:
        parts = fetch(instance, memory=True)
    except control.NotRunningError:
        say(f"the {instance.name} system is not running; start it with: make up")
        return 3
    rows = [("part", "state", "pid", "restarts", "uptime", "memory", "address", "")]
    lines = columns([*rows, *map(_row, parts)])
    say(paint(lines[0], "bold"))
    for part, line in zip(parts, lines[1:], strict=True):
        say(_tinted(line, part["name"], part["state"]))
    total = sum(part["memory_kib"] or 0 for part in parts)
    say(f"memory in all: {total / 1024:.0f} MB")
    return 0 if all(part["state"] in (State.READY, State.DONE, State.STOPPED) for part in parts) else 1


def _row(part: control.Reply) -> tuple[str, ...]:
    remark = part["complaint"] or (f"last: {part['last_exit']}" if part["restarts"] else "")
    return (
        part["name"],
        part["state"],
        str(part["pid"] or ""),
        str(part["restarts"]),
        _duration(part["uptime"]),
        f"{part['memory_kib'] / 1024:.0f} MB" if part["memory_kib"] else "",
        part["address"],
        remark,
    )


def _tinted(line: str, name: str, state: str) -> str:
    start = line.index(state, len(name))
    return line[:start] + paint(state, _COLOURS.get(State(state), "yellow")) + line[start + len(state) :]


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


def summary(instance: Instance, seconds: float) -> None:
    """The table of addresses and credentials, and what to do next."""
    plan = load(instance)
    values = environment.printed_values(instance, plan.ports, plan.values)
    running = {part["name"] for part in fetch(instance) if part["state"] in (State.READY, State.DONE, State.DEGRADED)}
    rows = [row for part, *row in _doors(values, dev=instance.is_dev) if part in running]
    if rows:
        say("\n".join(columns(rows)))
    say()
    say(paint(f"ready in {seconds:.1f} s", "green") + f"  ({len(running)} running, state in {instance.state})")
    if instance.is_dev:
        say("next: make status | logs | env | test | down")


def _doors(values: dict[str, str], *, dev: bool) -> list[tuple[str, str, str, str]]:
    login = "admin@example.com / verysecret" if values["APP_ENV"] == "development" else ""
    rpc, grpc = values["LOGGER_RPC_ADDRESS"], values["LOGGER_GRPC_ADDRESS"]
    doors = [
        ("frontend", "console", values["FRONTEND_URL"], login),
        ("broker", "broker", values["BROKER_URL"], "every client comes in here"),
        ("auth", "auth", values["AUTH_URL"], ""),
        ("logger", "logger", values["LOGGER_URL"], f"JSON-RPC and gob {rpc}, gRPC {grpc}"),
        ("mailer", "mailer", values["MAILER_URL"], ""),
        ("worker", "worker", values["WORKER_URL"], "health of the listener"),
        ("keeper", "keeper", values["KEEPER_URL"], "health of the log store's keeper"),
        ("mailbox", "mailbox", values["MAILBOX_URL"], f"catches all mail, SMTP {values['MAILBOX_SMTP_PORT']}"),
        ("postgres", "postgres", f"127.0.0.1:{values['POSTGRES_PORT']}", "postgres / password, auth / password"),
        ("mongo", "mongo", f"127.0.0.1:{values['MONGO_PORT']}", "admin / password, logger / password"),
        ("rabbitmq", "rabbitmq", f"127.0.0.1:{values['RABBIT_PORT']}", "guest / guest"),
        ("valkey", "valkey", f"127.0.0.1:{values['VALKEY_PORT']}", ""),
    ]
    if dev:
        page = f"http://localhost:{values['RABBIT_MANAGEMENT_PORT']}"
        doors.insert(-1, ("rabbitmq", "rabbitmq page", page, "guest / guest"))
    return doors


def variables(instance: Instance) -> int:
    """NAME=value lines of the running system."""
    try:
        control.ask(instance, "status")
        plan = load(instance)
    except (control.NotRunningError, OSError):
        complain(f"the {instance.name} system is not running; start it with: make up")
        return 1
    for name, value in environment.printed_values(instance, plan.ports, plan.values).items():
        say(f"{name}={value}")
    return 0
