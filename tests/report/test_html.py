"""The HTML report."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings

from harness.model.clauses import CLAUSES
from harness.model.run_record import RunRecord
from harness.report.html import anchor, render_html
from tests.report.any_record import RUN_RECORDS
from tests.report.records import diverged_record, empty_record, parity_record, with_every_text

RECORDS = {"parity": parity_record(), "diverged": diverged_record(), "empty": empty_record()}

HOSTILE = (
    "</script>",
    "<!--<script>alert(1)</script>",
    "]]></style><style>*{display:none}</style>",
    '" onmouseover="alert(1)',
    "' onclick='alert(1)' x='",
    "</title><img src=x onerror=alert(1)>",
    '<a href="javascript:alert(1)">x</a>',
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt;&#60;",
    "\u202egnp.exe\u2066",
    "\x00\x1b[2J\x07",
    "\u2028\u2029\u200b\ufeff",
    "\ud800",
    "\U000e0041\ufe0f",
    "a" + "\u0301" * 400,
    "http://evil.example/?",
    "-->",
    "\n\r\t",
)


class Page(HTMLParser):
    """The elements, attribute names, ids, links and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.texts: list[str] = []
        self.comments: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the element and what it points at."""
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        values = dict(attrs)
        self.ids += [values["id"] or ""] if "id" in values else []
        self.links += [values["href"] or ""] if "href" in values else []

    def handle_data(self, data: str) -> None:
        """Note the text."""
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        """Note the comment: the page has none of its own."""
        self.comments.append(data)

    @property
    def text(self) -> str:
        """All text of the page."""
        return "".join(self.texts)


def page(record: RunRecord) -> Page:
    """The rendered and parsed page of `record`."""
    return Page("".join(render_html(record)))


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_adds_no_element_and_no_attribute(hostile: str) -> None:
    """With hostile text in every string of the record, the page has the same structure as with harmless text."""
    harmless = page(with_every_text(diverged_record(), "x"))
    attacked = page(with_every_text(diverged_record(), hostile))

    assert attacked.elements == harmless.elements
    assert attacked.comments == []
    assert all(link.startswith("#") for link in attacked.links)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_is_shown_not_obeyed(hostile: str) -> None:
    """Every character on the page shows itself, and the page can be written."""
    attacked = page(with_every_text(diverged_record(), hostile))

    strange = {character for character in attacked.text if not character.isprintable()}
    assert strange <= {"\n"}
    assert "".join(render_html(with_every_text(diverged_record(), hostile))).encode()


@pytest.mark.parametrize("name", RECORDS)
def test_the_page_asks_for_nothing(name: str) -> None:
    """No script, no source, no address: every link stays on the page and the policy names no origin."""
    text = "".join(render_html(RECORDS[name]))
    rendered = Page(text)

    assert {tag for tag, _ in rendered.elements} & {"script", "img", "link", "iframe", "form", "object"} == set()
    assert {attribute for _, names in rendered.elements for attribute in names} & {"src", "style", "srcset"} == set()
    assert "://" not in text
    assert "url(" not in text
    assert "default-src 'none'" in text


def test_the_policy_comes_first_and_fits_the_style() -> None:
    """The hash in the policy is that of exactly the text between the style tags, and stands before it."""
    text = "".join(render_html(parity_record()))
    [style] = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    assert f"style-src 'sha256-{digest}'" in text
    assert text.index("Content-Security-Policy") < text.index("<style>")


@pytest.mark.parametrize("name", RECORDS)
def test_every_link_has_its_target_and_no_id_occurs_twice(name: str) -> None:
    """A link that leads nowhere is a lie; an id that occurs twice leads to the wrong place."""
    rendered = page(RECORDS[name])

    assert len(rendered.ids) == len(set(rendered.ids))
    assert {link.removeprefix("#") for link in rendered.links} - set(rendered.ids) == set()


def test_findings_and_scenarios_have_the_anchor_that_the_terminal_prints() -> None:
    """`finding-<fingerprint>` and `scenario-<name>` are ids of the page, drawn or not."""
    record = diverged_record()
    undrawn = page(replace(record, exhibits=()))

    wanted = {f"finding-{row.fingerprint}" for row in record.classes}
    assert wanted <= set(page(record).ids)
    assert wanted <= set(undrawn.ids)
    assert "scenario-resume_every_cursor.mirrored" in undrawn.ids


def test_two_exhibits_of_one_class_have_ids_of_their_own() -> None:
    """The first keeps the anchor of the class, the next is numbered."""
    record = diverged_record()
    twice = replace(record, exhibits=(record.exhibits[0], record.exhibits[0]))
    name = f"finding-{record.exhibits[0].fingerprint}"

    assert {name, f"{name}-2"} <= set(page(twice).ids)


def test_the_verdict_and_its_advice_stand_first() -> None:
    """The word, what to do, the numbers, the lanes and the command that repeats it."""
    text = page(diverged_record()).text

    assert "DIVERGED" in text
    assert "Do not move traffic." in text
    assert "3 of 1,248 compared deliveries differ" in text
    assert "reference implementation of the legacy replay dialect" in text
    assert "parity run --seed 1187" in text


def test_a_partial_run_says_so_in_its_verdict() -> None:
    """A selection never passes for the whole catalogue."""
    text = page(replace(parity_record(), partial="3 of 18 scenarios")).text

    assert "of 3 of 18 scenarios (partial)" in text


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("parity", "No divergence: 624 deliveries of legacy and 624 of target looked at"),
        ("parity", "Nothing to lay out: 0 divergences in 2 scenarios"),
        ("parity", "0 differences were waived"),
        ("empty", "No scenario was judged: 0 recordings, 0 deliveries, 0 commands"),
        ("empty", "Nothing was exercised: 0 scenarios against 40 clauses"),
        ("empty", "0 fields of the envelope were compared"),
        ("empty", "0 streams were read"),
        ("empty", "0 values were rewritten or explained"),
        ("empty", "0 identities"),
        ("empty", "single_run.mirrored: frames.parquet is damaged; record the run again"),
    ],
)
def test_a_block_with_nothing_to_say_says_so(name: str, sentence: str) -> None:
    """Every empty block is one line with the number that makes it believable."""
    assert sentence in page(RECORDS[name]).text


def test_a_clause_that_nobody_claims_is_red_and_named() -> None:
    """Every clause of the contract has a row; one that the run says nothing about says so in the colour of alarm."""
    text = "".join(render_html(parity_record()))

    rows = re.findall(r'<th scope="row" class="mono">([^<]+)</th><th class="soft">[^<]*</th><th class="([^"]+)">', text)
    assert list(CLAUSES) == [clause for clause, _ in rows]
    assert {"N3", "C3b", "INV-07"} == {clause for clause, style in rows if style == "state-parity"}
    assert len(CLAUSES) - 3 == sum(style == "state-not" for _, style in rows)
    assert re.search(r"\.state-not[^}]*color: var\(--alarm\)", text)


def test_legacy_always_comes_first() -> None:
    """Wherever both sides head a column, legacy is left of target."""
    headings = re.findall(r'<th[^>]*(legacy|target)-ink"', "".join(render_html(diverged_record())))

    assert headings
    assert headings == ["legacy", "target"] * (len(headings) // 2)


def test_the_body_of_a_changed_event_is_laid_out() -> None:
    """The differing leaf is marked, with its JSON path in the title, and nothing else is."""
    text = "".join(render_html(diverged_record()))

    assert re.findall(r'class="changed" title="([^"]*)"', text) == ["$.payload.amount_msats"]
    assert re.findall(r'<span class="odd">([^<]*)</span>', text) == ["&#34;amount_msats&#34;: &#34;1250000&#34;"]


def test_the_first_screen_is_small() -> None:
    """Everything down to the classes, style included, is under 60 KiB."""
    text = "".join(render_html(diverged_record()))

    assert len(text[: text.index('id="findings"')].encode()) < 60 * 1024


def test_long_tables_are_cut_with_a_count() -> None:
    """Above 500 rows the page says how many it left out and where they are."""
    record = parity_record()
    many = replace(record.scenarios[0], cursors=record.scenarios[0].cursors[:1] * 700)

    text = page(replace(record, scenarios=(many,))).text

    assert "200 more rows left out; verdict.json beside this page has all of them" in text


def test_long_texts_are_cut_with_a_count() -> None:
    """One value of a million characters does not make the page endless."""
    record = replace(parity_record(), headline="x" * 1_004_000)

    text = "".join(render_html(record))

    assert "1,000,000 characters left out" in text
    assert len(text) < 100_000


def test_the_same_record_gives_the_same_bytes() -> None:
    """Nothing on the page depends on when it was rendered."""
    assert list(render_html(diverged_record())) == list(render_html(diverged_record()))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(RUN_RECORDS)
def test_any_record_can_be_shown(record: RunRecord) -> None:
    """Whatever the types allow gives a page with whole structure, links that lead somewhere and visible text."""
    rendered = page(record)

    assert rendered.elements[0][0] == "html"
    assert "identities" in rendered.ids
    assert rendered.text.replace("\n", "").isprintable()


def test_an_anchor_holds_nothing_that_a_link_could_obey() -> None:
    """What is no letter, digit, dot, dash or underscore becomes a dash."""
    assert anchor("a.b_c-1/ü\"'><") == "a.b_c-1------"
