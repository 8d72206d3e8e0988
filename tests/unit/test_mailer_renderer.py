"""Mail bodies: both say the same, nothing in a letter becomes code, and templates can be replaced."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from jinja2 import TemplateSyntaxError
from jinja2.exceptions import SecurityError

from common.errors import InvalidError
from mailer.domain import Address, Letter
from mailer.jinja_renderer import LONGEST_LINKED, JinjaRenderer


@pytest.fixture
def renderer():
    return JinjaRenderer(brand="Our <System>")


def letter(**changes) -> Letter:
    fields = {
        "recipient": Address("you@there.com"),
        "subject": "News",
        "text": "Hello",
        "sender": Address("me@here.com"),
    }
    return Letter(**fields | changes)


class _Reader(HTMLParser):
    """What a person sees: text, with a line end for each <br>."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.tags: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.text += "\n" if tag == "br" else ""

    def handle_data(self, data):
        self.text += data


def seen(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    return reader


@pytest.mark.parametrize("template", ["generic", "plain"])
def test_both_bodies_hold_the_message_with_its_lines(renderer, template):
    text = "Grüße,\r\n\r\n\r\n  indented\rand & <b>not bold</b>"
    lines = "Grüße,\n\n\n  indented\nand & <b>not bold</b>"

    bodies = renderer.render(letter(text=text, template=template), reference="r1")

    assert bodies.text.startswith(lines)
    assert lines in seen(bodies.html).text


def test_the_generic_mail_shows_subject_brand_and_reference(renderer):
    bodies = renderer.render(letter(), reference="673e9f0c")

    for body in (seen(bodies.html).text, bodies.text):
        assert "Our <System>" in body
        assert "673e9f0c" in body
    assert re.search(r"<h1[^>]*>News</h1>", bodies.html)


def test_without_a_subject_there_is_no_empty_heading(renderer):
    assert "<h1" not in renderer.render(letter(subject=""), reference="r1").html


def test_css_stands_in_the_elements_and_only_what_cannot_stands_in_a_sheet(renderer):
    html = renderer.render(letter(), reference="r1").html

    (sheet,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    assert re.search(r'<h1 class="heading" style="[^"]*font-size: 26px', html)
    assert "prefers-color-scheme: dark" in sheet
    assert "max-width: 480px" in sheet
    assert "border-spacing" not in sheet


def test_web_addresses_can_be_followed_and_stay_readable(renderer):
    address = "https://example.com/a?b=1&c=2"

    html = renderer.render(letter(text=f"See {address}."), reference="r1").html

    assert re.search(
        r'<a href="https://example.com/a\?b=1&amp;c=2"[^>]*>https://example.com/a\?b=1&amp;c=2</a>\.', html
    )


def test_a_script_address_is_no_link(renderer):
    assert "<a " not in renderer.render(letter(text="javascript:alert(1)"), reference="r1").html


@pytest.mark.parametrize(
    "evil", ["<script>alert(1)</script>", "{{ 7 * 7 }}", "</title><img src=x onerror=y>", "<link rel=x>"]
)
def test_nothing_in_a_letter_becomes_code(renderer, evil):
    page = seen(renderer.render(letter(text=evil, subject=evil), reference="r1").html)

    assert page.text.count(evil) >= 2
    assert page.tags.isdisjoint({"script", "img", "link"})


def test_a_huge_message_stays_a_mail_of_its_size(renderer):
    text = "https://example.com/ " * (LONGEST_LINKED // 10)

    html = renderer.render(letter(text=text), reference="r1").html

    assert len(html) < len(text) * 1.1 + 10_000


@pytest.mark.parametrize("name", ["nothing", "_layout", "../generic", "generic.html.jinja", "GENERIC"])
def test_an_unknown_template_is_told_with_the_known_ones(renderer, name):
    with pytest.raises(InvalidError) as caught:
        renderer.render(letter(template=name), reference="r1")

    assert caught.value.message == "template: must be one of generic, plain"
    assert caught.value.problems[0].pointer == "#/template"


def folder(path, **files: str):
    for name, text in files.items():
        (path / f"{name.replace('__', '.')}.jinja").write_text(text)
    return path


def test_a_folder_of_templates_replaces_and_adds(tmp_path):
    overrides = folder(
        tmp_path,
        generic__html="<style>p { color: red }</style><p>{{ text }}</p>",
        generic__txt="ours: {{ text }}",
        bill__html="<p>Bill for {{ letter.recipient.address }}</p>",
        bill__txt="Bill",
        half__html="<p>no text twin</p>",
    )
    renderer = JinjaRenderer(brand="B", overrides=overrides)

    generic = renderer.render(letter(text="<i>"), reference="r1")
    bill = renderer.render(letter(template="bill"), reference="r1")

    assert generic.text == "ours: <i>"
    assert '<p style="color: red' in generic.html
    assert "&lt;i&gt;" in generic.html
    assert "Bill for you@there.com" in bill.html
    with pytest.raises(InvalidError, match="bill, generic, plain"):
        renderer.render(letter(template="half"), reference="r1")


def test_the_look_of_all_templates_can_be_replaced_alone(tmp_path):
    overrides = folder(tmp_path, _layout__html="<main>{% block sheet %}{% endblock %}</main>")

    html = JinjaRenderer(brand="B", overrides=overrides).render(letter(), reference="r1").html

    assert "<main>" in html
    assert "Hello" in html


def test_a_broken_template_is_found_at_start(tmp_path):
    with pytest.raises(TemplateSyntaxError):
        JinjaRenderer(brand="B", overrides=folder(tmp_path, bad__html="{% if %}"))


def test_a_template_gets_at_nothing_outside_its_letter(tmp_path):
    probe = "{{ letter.__class__.__init__.__globals__ }}"
    renderer = JinjaRenderer(brand="B", overrides=folder(tmp_path, spy__html=probe, spy__txt=probe))

    with pytest.raises(SecurityError):
        renderer.render(letter(template="spy"), reference="r1")
