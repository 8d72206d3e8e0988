"""RabbitMQ and its port mapper epmd: the system's, else Debian's packages unpacked into the project's folder."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from compose.local import debs, probes
from compose.local.parts import Kind, Launch, Part, PrepareError
from compose.local.paths import APT
from compose.local.ports import LOOPBACK
from compose.local.site import Site

_PACKAGE = "rabbitmq"
_SERVER_SCRIPT = "lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"
_ROOT_LINE = re.compile(r"^(\s*)ROOTDIR=/.*$", re.MULTILINE)
_ERLANG_START_SCRIPTS = ("bin/erl", "bin/start", "erts-*/bin/erl", "erts-*/bin/start")
# A little spinning before a scheduler sleeps: with none at all each file operation of the boot pays for a thread
# wake-up, and on virtual machines the start takes 4.8 s instead of 1.8 s.
_SCHEDULERS = "+S 2:2 +sbwt very_short +sbwtdcpu very_short +sbwtdio very_short"


@dataclass(frozen=True, slots=True)
class Found:
    """The real server script, not Debian's wrapper, which switches to a user of its own."""

    server: Path
    epmd: Path
    env: Mapping[str, str]


def find() -> Found:
    """Fetches the packages when the machine has none. Raises PrepareError."""
    return located() or _unpacked(debs.unpacked(_PACKAGE, ("rabbitmq-server",)))


def located() -> Found | None:
    """What is there without fetching anything."""
    return _installed() or (_unpacked(APT / _PACKAGE) if debs.is_unpacked(_PACKAGE) else None)


def _installed() -> Found | None:
    epmd = shutil.which("epmd")
    if not epmd or not shutil.which("erl"):
        return None
    scripts = sorted(Path("/usr").glob(_SERVER_SCRIPT))
    on_path = shutil.which("rabbitmq-server")
    if on_path and not on_path.startswith("/usr/sbin"):
        scripts.append(Path(on_path).resolve())
    return Found(scripts[-1], Path(epmd), {}) if scripts else None


def _unpacked(root: Path) -> Found:
    erlang = root / "usr/lib/erlang"
    scripts = sorted((root / "usr").glob(_SERVER_SCRIPT))
    epmds = sorted(erlang.glob("erts-*/bin/epmd")) or [Path(shutil.which("epmd") or "epmd")]
    if not scripts:
        raise PrepareError(f"the unpacked packages in {root} hold no RabbitMQ; delete that folder and try again")
    _relocate(erlang)
    libraries = os.pathsep.join(map(str, debs.lib_folders(root)))
    path = os.pathsep.join((str(erlang / "bin"), os.environ.get("PATH", os.defpath)))
    return Found(scripts[-1], epmds[0], {"PATH": path, "LD_LIBRARY_PATH": libraries})


def _relocate(erlang: Path) -> None:
    """Erlang's start scripts hold the folder they were packaged for; repeated when the checkout has moved."""
    for pattern in _ERLANG_START_SCRIPTS:
        for script in erlang.glob(pattern):
            text = script.read_text()
            moved = _ROOT_LINE.sub(lambda match: f"{match[1]}ROOTDIR={erlang}", text)
            if moved != text:
                _replace(script, moved)


def _replace(script: Path, text: str) -> None:
    """Whole or not at all: another instance may be starting from the same folder."""
    scratch = script.with_name(f"{script.name}.{os.getpid()}")
    scratch.write_text(text)
    scratch.chmod(script.stat().st_mode)
    scratch.replace(script)


def _config(site: Site, folder: Path) -> str:
    lines = [
        f"listeners.tcp.1 = {LOOPBACK}:{site.ports['RABBIT_PORT']}",
        f"load_definitions = {folder / 'definitions.json'}",
        "vm_memory_high_watermark.absolute = 512MB",
        "disk_free_limit.absolute = 50MB",
        "log.console.level = info",
    ]
    if site.instance.is_dev:
        lines.append(f"management.tcp.ip = {LOOPBACK}")
        lines.append(f"management.tcp.port = {site.ports['RABBIT_MANAGEMENT_PORT']}")
    return "\n".join(lines) + "\n"


def _definitions() -> str:
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    return json.dumps(
        {
            "users": [{"name": "guest", "password": "guest", "tags": "administrator"}],
            "vhosts": [{"name": "/"}],
            "permissions": [{"user": "guest", "vhost": "/", **everything}],
        }
    )


def _environment(site: Site, folder: Path, found: Found) -> dict[str, str]:
    return {
        **found.env,
        **_epmd_environment(site),
        "HOME": str(folder),
        "RABBITMQ_NODENAME": "rabbit@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
        "RABBITMQ_DIST_PORT": str(site.ports["RABBIT_DIST_PORT"]),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "no-such-file"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} " + _SCHEDULERS,
        # makes the start script replace itself by the Erlang machine instead of waiting for it
        "detached": "yes",
    }


def _epmd_environment(site: Site) -> dict[str, str]:
    return {"ERL_EPMD_PORT": str(site.ports["EPMD_PORT"]), "ERL_EPMD_ADDRESS": LOOPBACK}


def _prepare(site: Site) -> Launch:
    found = find()
    folder = site.instance.data / "rabbitmq"
    folder.mkdir(parents=True, exist_ok=True)
    plugins = "[rabbitmq_management]." if site.instance.is_dev else "[]."
    (folder / "rabbitmq.conf").write_text(_config(site, folder))
    (folder / "enabled_plugins").write_text(plugins + "\n")
    (folder / "definitions.json").write_text(_definitions())
    return Launch((str(found.server),), _environment(site, folder, found))


def _prepare_epmd(site: Site) -> Launch:
    found = find()
    command = (str(found.epmd), "-address", LOOPBACK, "-port", str(site.ports["EPMD_PORT"]))
    return Launch(command, {**found.env, **_epmd_environment(site)})


def parts(site: Site) -> list[Part]:
    port, console = site.ports["RABBIT_PORT"], site.ports["RABBIT_MANAGEMENT_PORT"]
    address = f"amqp :{port}"
    if site.instance.is_dev:
        address = f"http://{LOOPBACK}:{console}  {address}"
    epmd = Part(
        name="epmd",
        kind=Kind.SERVER,
        address=f"{LOOPBACK}:{site.ports['EPMD_PORT']}",
        prepare=partial(_prepare_epmd, site),
        probe=probes.epmd(LOOPBACK, site.ports["EPMD_PORT"]),
        grace=1.0,
    )
    rabbit = Part(
        name="rabbitmq",
        kind=Kind.SERVER,
        address=address,
        prepare=partial(_prepare, site),
        probe=probes.tcp(LOOPBACK, port),
        needs=("epmd",),
        uses=("epmd",),
        # queues and messages are on disk within some milliseconds; the statistics of the management plugin then
        # take five seconds to end, for nothing
        grace=2.0,
    )
    return [epmd, rabbit]
