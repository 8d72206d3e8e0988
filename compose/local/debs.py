"""Debian packages unpacked into the project's own folder: no root, and nothing on the host changes."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from compose.local.parts import PrepareError
from compose.local.paths import APT

_FETCH_LIMIT = 300.0
_LISTS_GOOD_FOR = 3600.0
_COMPLETE = ".complete"
# wanted by the packaging, not by the programs
_NEEDLESS = ("adduser", "logrotate", "debconf", "init-system-helpers", "xdg-utils", "systemd", "udev", "dbus")


def unpacked(name: str, packages: Sequence[str]) -> Path:
    """The folder that holds `packages` and what the host lacks of their dependencies; fetched once, then kept.

    Raises PrepareError. Concurrent callers wait for the first one.
    """
    root = APT / name
    if is_unpacked(name):
        return root
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise PrepareError(f"this system has no apt-get: please install {', '.join(packages)} with its own packages")
    with _locked(APT / f"{name}.lock"):
        if not is_unpacked(name):
            _fetch(root, packages)
    return root


def is_unpacked(name: str) -> bool:
    return (APT / name / _COMPLETE).exists()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _fetch(root: Path, packages: Sequence[str]) -> None:
    scratch = root.with_suffix(".new")
    shutil.rmtree(scratch, ignore_errors=True)
    archives = scratch / ".debs"
    archives.mkdir(parents=True)
    try:
        _download(archives, packages, ())
    except subprocess.CalledProcessError:
        # the host's package lists are missing or older than the mirror: use lists of our own
        options = _own_lists()
        _download(archives, packages, options)
    for archive in sorted(archives.glob("*.deb")):
        subprocess.run(["dpkg", "-x", archive, scratch], check=True, timeout=_FETCH_LIMIT)
    shutil.rmtree(archives)
    (scratch / _COMPLETE).write_text("\n".join(packages) + "\n")
    shutil.rmtree(root, ignore_errors=True)
    scratch.rename(root)


def _own_lists() -> tuple[str, ...]:
    lists = APT / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    (APT / "cache").mkdir(parents=True, exist_ok=True)
    options = ("-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={APT / 'cache'}", "-o", "Debug::NoLocking=1")
    try:
        with _locked(APT / "lists.lock"):
            if not _is_recent(lists / _COMPLETE):
                _apt(("update",), options)
                (lists / _COMPLETE).touch()
    except subprocess.CalledProcessError as error:
        raise PrepareError(f"apt-get update failed: {_last_lines(error)}") from error
    return options


def _is_recent(stamp: Path) -> bool:
    return stamp.exists() and time.time() - stamp.stat().st_mtime < _LISTS_GOOD_FOR


def _download(archives: Path, packages: Sequence[str], options: Sequence[str]) -> None:
    simulated = _apt(("-s", "--no-install-recommends", "install", *packages), options)
    missing = [line.split()[1] for line in simulated.splitlines() if line.startswith("Inst ")]
    wanted = [name for name in missing if not name.startswith(_NEEDLESS)]
    # a package the host has is not in the list, but it was asked for by name
    wanted += [name for name in packages if name not in wanted]
    try:
        _apt(("download", *wanted), options, cwd=archives)
    except subprocess.CalledProcessError as error:
        if options:
            raise PrepareError(f"apt-get download failed: {_last_lines(error)}") from error
        raise


def _apt(arguments: Sequence[str], options: Sequence[str], cwd: Path | None = None) -> str:
    """Raises CalledProcessError."""
    sandbox = ("-o", "APT::Sandbox::User=root") if os.geteuid() == 0 else ()
    command = ("apt-get", "-qq", *sandbox, *options, *arguments)
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=_FETCH_LIMIT, check=True
    )
    return done.stdout


def _last_lines(error: subprocess.CalledProcessError) -> str:
    return " ".join(str(error.stderr).strip().splitlines()[-3:])


def lib_folders(root: Path) -> list[Path]:
    """The multiarch library folders inside an unpacked tree."""
    folders = (*root.glob("usr/lib/*-linux-gnu*"), *root.glob("lib/*-linux-gnu*"))
    return [folder for folder in folders if folder.is_dir()]
