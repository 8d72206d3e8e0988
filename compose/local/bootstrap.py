"""Makes `.local/venv` with the locked packages, then hands over to the runner. Standard library only.

    python3 compose/local/bootstrap.py local|dev [command of compose.local ...]

Runs under any python3, so that one that is too old gets a sentence instead of a traceback.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / ".local"
VENV = LOCAL / "venv"
PYTHON = VENV / "bin" / "python"
LOCKS = {"local": "local.txt", "dev": "dev.txt"}
INSTALLER = ROOT / "requirements" / "uv.txt"
_LIMIT = 900
_WHEELS = "share/python-wheels"


class BootstrapError(Exception):
    """The environment cannot be made; the message says what the person can do."""


def main(arguments: list[str]) -> int:
    wanted, command = arguments[0], arguments[1:]
    if wanted not in LOCKS:
        raise BootstrapError(f"unknown set of packages '{wanted}', choose from {', '.join(LOCKS)}")
    # this folder is first on the path of a script; its modules are to be found through the package only
    sys.path[0] = str(ROOT)
    LOCAL.mkdir(exist_ok=True)
    if not is_current(wanted):
        with (LOCAL / "venv.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_current(wanted):
                install(wanted)
    return _run(command) if command else 0


def _run(command: list[str]) -> int:
    """In this very process when it is the right one: starting Python once more costs time on the warm path."""
    if Path(sys.prefix).resolve() != VENV:
        os.chdir(ROOT)
        os.execv(PYTHON, [str(PYTHON), "-m", "compose.local", *command])  # noqa: S606 - no shell is wanted
    from compose.local.cli import main as run  # noqa: PLC0415 - exists only once the packages do

    return run(command)


def digest(wanted: str) -> str:
    return hashlib.sha256((ROOT / "requirements" / LOCKS[wanted]).read_bytes()).hexdigest()


def _stamp(wanted: str) -> Path:
    return VENV / f"{wanted}.stamp"


def is_current(wanted: str) -> bool:
    """Whether the packages of this lock file were installed, and the interpreter they were installed for is there."""
    return PYTHON.exists() and _stamp(wanted).exists() and _stamp(wanted).read_text() == digest(wanted)


def install(wanted: str) -> None:
    began = time.monotonic()
    if not PYTHON.exists():
        _say("making the virtual environment (first start only)")
        make_venv()
    _say(f"installing the locked packages of requirements/{LOCKS[wanted]}")
    install_packages(ROOT / "requirements" / LOCKS[wanted])
    _stamp(wanted).write_text(digest(wanted))
    if wanted == "dev":
        # both files are locked together and dev holds all of local
        _stamp("local").write_text(digest("local"))
    _say(f"packages ready in {time.monotonic() - began:.1f} s")


def make_venv() -> None:
    shutil.rmtree(VENV, ignore_errors=True)
    # Debian's python3 comes without ensurepip unless python3-venv is installed
    bare = ["--without-pip"] if importlib.util.find_spec("ensurepip") is None else []
    done = _call([sys.executable, "-m", "venv", *bare, str(VENV)])
    if done.returncode != 0:
        raise BootstrapError(f"python3 -m venv failed: {_last_line(done)}; on Debian: apt install python3-venv")


def install_packages(requirements: Path) -> None:
    """With uv, which needs seconds; with pip, which needs a minute, where uv cannot be had or cannot reach its index."""
    options = ["install", "--require-hashes", "-r", str(requirements)]
    uv = [str(PYTHON), "-m", "uv"]
    if _call([*uv, "--version"]).returncode != 0:
        _call([*pip(), "install", "--quiet", "--require-hashes", "-r", str(INSTALLER)])
    done = _call([*uv, "pip", *options, "--quiet", "--python", str(PYTHON)], _uv_environment())
    if done.returncode == 0:
        return
    _say(f"uv did not succeed ({_last_line(done)}); using pip, which takes longer")
    done = _call([*pip(), *options, "--quiet", "--disable-pip-version-check"])
    if done.returncode != 0:
        raise BootstrapError(f"the packages could not be installed: {_last_line(done)}")


def _uv_environment() -> dict[str, str]:
    """For uv, which does not read pip's configuration: the machine's certificates and index are meant for it too."""
    environment = {**os.environ, "UV_SYSTEM_CERTS": "1", "UV_NO_PROGRESS": "1"}
    if "PIP_INDEX_URL" in os.environ:
        environment.setdefault("UV_DEFAULT_INDEX", os.environ["PIP_INDEX_URL"])
    return environment


def pip() -> list[str]:
    """A command that runs pip for the virtual environment. Raises BootstrapError."""
    own = [str(PYTHON), "-m", "pip"]
    if _call([*own, "--version"]).returncode == 0:
        return own
    wheels = sorted(Path("/usr", _WHEELS).glob("pip-*.whl")) or _fetched_wheels()
    if not wheels:
        raise BootstrapError("this Python has no pip: install python3-venv and try again")
    return [str(PYTHON), str(wheels[-1] / "pip")]


def _fetched_wheels() -> list[Path]:
    from compose.local import debs  # noqa: PLC0415 - needs a Python that is new enough
    from compose.local.parts import PrepareError  # noqa: PLC0415 - the same

    _say("fetching pip from the package python3-pip-whl")
    try:
        root = debs.unpacked("pip", ("python3-pip-whl",))
    except PrepareError as error:
        raise BootstrapError(f"this Python has no pip, and {error}") from error
    return sorted((root / "usr" / _WHEELS).glob("pip-*.whl"))


def _call(command: list[str], environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_LIMIT, check=False)


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}").splitlines()
    return lines[-1].strip()


def _say(text: str) -> None:
    print(text, flush=True)


def find_newer() -> str | None:
    """Another interpreter on PATH that is new enough."""
    for minor in range(20, OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found:
            return found
    return None


if __name__ == "__main__":
    if sys.version_info < OLDEST:
        newer = find_newer()
        if newer:
            os.execv(newer, [newer, *sys.argv])  # noqa: S606 - no shell is wanted
        sys.exit(f"Python 3.11 or newer is needed, python3 is {sys.version.split()[0]}: put a newer one on PATH")
    try:
        sys.exit(main(sys.argv[1:]))
    except BootstrapError as problem:
        sys.exit(str(problem))
    except KeyboardInterrupt:
        sys.exit(130)
