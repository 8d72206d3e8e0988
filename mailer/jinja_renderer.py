"""Mail bodies from Jinja2 templates, with the CSS moved into the elements, since many mail programs read no style sheets."""

from __future__ import annotations

from pathlib import Path

from css_inline import CSSInliner
from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import urlize
from markupsafe import Markup, escape

from common.errors import InvalidError, Problem
from mailer.domain import Bodies, Letter

BUILT_IN = Path(__file__).parent / "templates" / "mail"
_HTML = ".html.jinja"
_TEXT = ".txt.jinja"

LONGEST_LINKED = 100_000
"""Characters. A styled link is many times longer than the address it shows, so a megabyte of them would not be mail any more."""


class JinjaRenderer:
    """A template is a pair of files, `<name>.html.jinja` and `<name>.txt.jinja`; names that begin with `_` are parts of others.

    `overrides` is a folder looked into first. All templates are compiled at once: raises jinja2.TemplateSyntaxError.
    """

    def __init__(self, *, brand: str, overrides: Path | None = None) -> None:
        folders = [BUILT_IN] if overrides is None else [overrides, BUILT_IN]
        self._environment = ImmutableSandboxedEnvironment(
            loader=ChoiceLoader([FileSystemLoader(folder) for folder in folders]),
            autoescape=lambda name: name is not None and name.endswith(_HTML),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals["brand"] = brand
        self._environment.filters["linked"] = _linked
        files = self._environment.list_templates()
        for file in files:
            self._environment.get_template(file)
        self._names = sorted(
            file.removesuffix(_HTML)
            for file in files
            if file.endswith(_HTML) and not file.startswith("_") and file.removesuffix(_HTML) + _TEXT in files
        )
        # At-rules stay in a style element: dark mode and narrow screens cannot be said inline.
        self._inliner = CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)

    def render(self, letter: Letter, *, reference: str) -> Bodies:
        if letter.template not in self._names:
            message = f"must be one of {', '.join(self._names)}"
            raise InvalidError(f"template: {message}", problems=[Problem("#/template", message)])
        text = letter.text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
        values = {"letter": letter, "text": text, "reference": reference}
        html = self._environment.get_template(letter.template + _HTML).render(values)
        plain = self._environment.get_template(letter.template + _TEXT).render(values)
        return Bodies(html=self._inliner.inline(html), text=plain)


def _linked(text: str) -> Markup:
    """HTML in which web addresses can be followed and lines stay lines."""
    html = str(escape(text)) if len(text) > LONGEST_LINKED else urlize(text, rel="noopener noreferrer")
    return Markup(html.replace("\n", "<br>"))  # noqa: S704 - both escape
