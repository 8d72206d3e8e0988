"""`make seed-logs` on a running system: what it says it wrote is what a search finds."""

from __future__ import annotations

import json
import sys
from typing import Any

import requests

from tests.system import System
from tests.waiting import eventually


def test_the_known_words_are_found_as_often_as_is_told(system: System, tmp_path):
    out = tmp_path / "seeded.json"

    done = system.run(
        [
            *(sys.executable, "-m", "tests.seeding", "-n", "2500", "--hours", "2", "--out", str(out)),
            *("--instance", system.name, "--state", str(system.state)),
        ]
    )

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    told = json.loads(out.read_text())
    assert told["entries"] == 2_500
    for kind, wanted in (("once", 1), ("fifty", 50), ("often", 125)):
        words = list(told["needles"][kind])
        assert set(told["needles"][kind].values()) == {wanted}
        assert [found(system, word, told["since"]) for word in (words[0], words[-1])] == [wanted, wanted]
    assert found(system, f"never{told['tag']}x0", told["since"]) == 0


def found(system: System, word: str, since: str) -> int:
    """A busy machine may need more time than one question has."""
    asked = {"words": word, "since": since}

    def count() -> dict[str, Any] | None:
        answer = requests.get(system.url("broker", "/api/v1/logs/count"), params=asked, timeout=15).json()
        return answer if answer["complete"] else None

    return int((eventually(count, seconds=60) or {})["count"])
