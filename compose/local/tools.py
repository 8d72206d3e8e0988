"""What the tests need besides Python: Go, Chromium and wrk, from PATH or unpacked without root; named in `tools.env`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from compose.local import debs
from compose.local.environment import read_dotenv
from compose.local.parts import PrepareError
from compose.local.paths import LOCAL, TOOLS_ENV
from compose.local.terminal import complain, say

_GO_PACKAGES = ("golang-go",)
_GO_LIBRARIES = ("golang-github-rabbitmq-amqp091-go-dev",)
_BROWSER_PACKAGES = ("chromium", "fonts-dejavu-core")
_WRK_PACKAGES = ("wrk",)
_OLDEST_GO = (1, 19)
_SYSTEM_LIBRARIES = Path("/usr/share/gocode")
_AMQP_SOURCE = "src/github.com/rabbitmq/amqp091-go"
_PROGRAMS = ("GO", "CHROMIUM", "WRK")
_WRK_WRAPPER = """#!/bin/sh
# wrk unpacked without root: its libraries are beside it.
export LD_LIBRARY_PATH="{libraries}"
exec "{binary}" "$@"
"""
_WRAPPER = """#!/bin/sh
# Chromium unpacked without root: its libraries and fonts are beside it.
export LD_LIBRARY_PATH="{libraries}"
export FONTCONFIG_FILE="{fonts}"
exec "{binary}" "$@"
"""
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{root}/usr/share/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>{root}/.fontcache</cachedir>
</fontconfig>
"""


def provide() -> int:
    """Makes the tools available and writes `.local/tools.env`; nothing to do when they are still there."""
    if all(known().values()):
        return 0
    began = time.monotonic()
    try:
        values = {**go(), "CHROMIUM": chromium(), "WRK": wrk()}
    except PrepareError as error:
        complain(str(error))
        return 1
    LOCAL.mkdir(exist_ok=True)
    TOOLS_ENV.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    say(f"tools for the tests ready in {time.monotonic() - began:.1f} s, named in {TOOLS_ENV}")
    return 0


def known() -> dict[str, str]:
    """The programs named in `tools.env`; an empty text where one is missing."""
    values = read_dotenv(TOOLS_ENV) if TOOLS_ENV.is_file() else {}
    return {name: values.get(name, "") if Path(values.get(name, "-")).exists() else "" for name in _PROGRAMS}


def go() -> dict[str, str]:
    """The variables under which `$GO run` finds the standard library and, where there is one, the AMQP client.

    Raises PrepareError. Modules are off: everything comes from GOPATH, nothing from the network.
    """
    values = {"GO111MODULE": "off", "CGO_ENABLED": "0", "GOFLAGS": "", "GOPATH": str(_go_libraries())}
    on_path = shutil.which("go")
    if on_path and _go_version(on_path) >= _OLDEST_GO:
        root = subprocess.run([on_path, "env", "GOROOT"], capture_output=True, text=True, timeout=20, check=True)
        return {"GO": on_path, "GOROOT": root.stdout.strip(), **values}
    roots = sorted((debs.unpacked("go", _GO_PACKAGES) / "usr/lib").glob("go-*"))
    if not roots or not (roots[-1] / "bin" / "go").exists():
        raise PrepareError("the package golang-go holds no Go; install Go 1.19 or newer yourself")
    return {"GO": str(roots[-1] / "bin" / "go"), "GOROOT": str(roots[-1]), **values}


def _go_version(binary: str) -> tuple[int, int]:
    shown = subprocess.run([binary, "version"], capture_output=True, text=True, timeout=20, check=False).stdout
    match = re.search(r"go(\d+)\.(\d+)", shown)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _go_libraries() -> Path:
    if (_SYSTEM_LIBRARIES / _AMQP_SOURCE).is_dir():
        return _SYSTEM_LIBRARIES
    return debs.unpacked("go-libraries", _GO_LIBRARIES) / "usr/share/gocode"


def chromium() -> str:
    """Raises PrepareError."""
    on_path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if on_path:
        return on_path
    root = debs.unpacked("chromium", _BROWSER_PACKAGES)
    binary = root / "usr/lib/chromium/chromium"
    if not binary.exists():
        raise PrepareError("the package chromium holds no browser here; install Chromium yourself")
    fonts = root / "fonts.conf"
    fonts.write_text(_FONTS.format(root=root))
    folders = [folder for base in debs.lib_folders(root) for folder in (base, *_with_libraries(base))]
    wrapper = root / "chromium"
    libraries = os.pathsep.join(map(str, folders))
    wrapper.write_text(_WRAPPER.format(libraries=libraries, fonts=fonts, binary=binary))
    wrapper.chmod(0o755)
    return str(wrapper)


def wrk() -> str:
    """The load generator of `make bench`. Raises PrepareError."""
    on_path = shutil.which("wrk")
    if on_path:
        return on_path
    root = debs.unpacked("wrk", _WRK_PACKAGES)
    binary = root / "usr/bin/wrk"
    if not binary.exists():
        raise PrepareError("the package wrk holds no program here; install wrk yourself")
    wrapper = root / "wrk"
    wrapper.write_text(_WRK_WRAPPER.format(libraries=os.pathsep.join(map(str, debs.lib_folders(root))), binary=binary))
    wrapper.chmod(0o755)
    return str(wrapper)


def _with_libraries(folder: Path) -> list[Path]:
    """Folders one level below that hold libraries, such as pulseaudio's."""
    return sorted({library.parent for library in folder.glob("*/*.so*")})
