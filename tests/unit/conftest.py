"""Unit tests need nothing but the code; what hypothesis remembers of them stays in the ignored folder."""

from __future__ import annotations

from pathlib import Path

from hypothesis.configuration import set_hypothesis_home_dir

set_hypothesis_home_dir(Path(__file__).resolve().parents[2] / ".local" / "cache" / "hypothesis")
