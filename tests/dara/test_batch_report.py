"""The page of a whole snapshot: self-contained, inert whatever names hold, and it works in a browser."""

from __future__ import annotations

import base64
import io
import json
import re
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from batch_results import finding, graph, package, write_results
from browser import Page, find_chromium
from commandline import Run

from dara.reports import batch_data
from dara.reports.batch_html import write_report
from dara.studies.registry import run_studies
from dara.studies.snapshot import Snapshot

EVIL = "evil/</script><img src=x onerror=document.title='owned'>\"'`${alert(1)}&amp;"
COUNT = 3_000


def page_of(out: Path) -> str:
    sink = io.StringIO()
    snapshot = Snapshot(out)
    write_report(snapshot, run_studies(snapshot), sink)
    return sink.getvalue()


def unpacked(page: str) -> dict[str, Any]:
    match = re.search(r'id="data">([A-Za-z0-9+/=]*)</script>', page)
    assert match
    found: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(match[1])))
    return found


def results(out: Path, count: int = COUNT) -> Path:
    """Packages of which every hundredth is defective, on graphs of three clusters."""
    graphs = [
        graph(
            f"{n:032x}", {"bert": 1}, cluster=n % 3, x=float(n % 3), y=n / 30, identified=("bert", "vit", "t5")[n % 3]
        )
        for n in range(30)
    ]
    packages = []
    for n in range(count):
        bad = n % 100 == 0
        name = EVIL if n == 100 else f"org{n % 7}/{'gpt2' if bad else 'bert'}-base-{n}"
        packages.append(
            package(
                n, name, verdict="defective" if bad else "consistent", codes=["DAR101"] if bad else [],
                downloads=n * 37 % 1009, family="bert", claimed_family="gpt2" if bad else "bert",
                created=f"2024-{n % 12 + 1:02d}-01", digest=f"{n % 30:032x}" if n % 2 else None,
                cluster=n % 30 % 3 if n % 2 else None, outlier=bad if n % 2 else None,
                convention=EVIL if n == 5 else "both",
            )
        )  # fmt: skip
    found = [finding(row["entry"], row["name"], f"message {EVIL}") for row in packages if row["codes"]]
    clusters = [
        {
            "cluster": n, "family": EVIL, "purity": 1.0, "packages": 9, "graphs": 10, "defective": 0, "outliers": 1,
            "families": "{}", "claimed": json.dumps({EVIL: 4, "bert": 5}), "example": EVIL,
        }
        for n in range(3)
    ]  # fmt: skip
    write_results(out, packages, findings=found, graphs=graphs, clusters=clusters)
    summary = json.loads((out / "summary.json").read_text())
    summary["clusters"].update(graphs=30, clusters=3)
    (out / "summary.json").write_text(json.dumps(summary))
    return out


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return results(tmp_path_factory.mktemp("report") / "out")


@pytest.fixture(scope="module")
def page(out: Path) -> str:
    return page_of(out)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_loads_nothing_and_a_policy_holds_it_to_that(page: str) -> None:
    tags = Tags()
    tags.feed(page)
    names = [tag for tag, _ in tags.found]
    assert names.count("script") == 2
    assert not {"img", "link", "iframe", "object", "form"} & set(names)
    attributes = {key for _, own in tags.found for key in own}
    assert not {"src", "href"} & attributes
    assert not [key for key in attributes if key.startswith("on")]
    policy = next(own["content"] for tag, own in tags.found if own.get("http-equiv"))
    assert policy
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-inline" not in policy.partition("style-src")[0]
    assert "http:" not in page
    assert "https:" not in page


def test_the_page_is_readable_without_scripts(page: str) -> None:
    tags = Tags()
    tags.feed(page)
    text = " ".join(tags.text)
    for words in ("3,000 packages", "Most downloaded defective packages", "Naming elements in practice", "1.0%"):
        assert words in text
    assert EVIL in text, "names are shown as they are"


def test_the_data_hold_every_package(page: str) -> None:
    data = unpacked(page)
    names = data["packages"]["name"]
    assert (data["total"], len(names)) == (COUNT, COUNT)
    assert {len(column) for column in data["packages"].values() if isinstance(column, list)} == {COUNT}
    verdicts = data["packages"]["verdict"]
    assert verdicts["values"][verdicts["index"][200]] == "defective"
    assert data["messages"]["200"].startswith("DAR101: message")
    assert data["packages"]["graph"][31] == 1
    assert data["codes"] == [["DAR101", 30]]
    assert [bar["key"] for bar in data["bars"]][-2:] == ["months", "downloads"]
    assert len(data["graphs"]["x"]) == 30


def test_of_too_many_packages_the_ones_looked_for_are_kept(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_data, "MOST_PACKAGES", 40)
    monkeypatch.setattr(batch_data, "MOST_GRAPHS", 5)
    data = unpacked(page_of(out))
    verdicts = data["packages"]["verdict"]
    shown = [verdicts["values"][index] for index in verdicts["index"]]
    assert (len(shown), shown.count("defective")) == (40, 30)
    rest = [n for n, word in zip(data["packages"]["downloads"], shown, strict=True) if word != "defective"]
    assert min(rest) >= 1004
    assert data["total"] == COUNT
    assert len(data["graphs"]["x"]) == 5


def test_the_page_is_the_same_each_time(out: Path, page: str) -> None:
    assert page_of(out) == page


def test_a_snapshot_without_weights_or_packages(tmp_path: Path) -> None:
    text = page_of(write_results(tmp_path / "none", []))
    assert "no package of this snapshot has weight headers" in text
    assert "<canvas" not in text


def test_the_command_writes_the_same_page(dara: Run, out: Path, page: str, tmp_path: Path) -> None:
    assert dara("study", out, "--format", "html", "-o", tmp_path / "page.html").code == 0
    assert (tmp_path / "page.html").read_text("utf-8") == page


# -- in a browser -------------------------------------------------------------------------------------------------

CHROMIUM = find_chromium()
browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with Page(CHROMIUM) as found:
        yield found


@pytest.fixture
def shown(chromium: Page, page: str, tmp_path: Path) -> Iterator[Page]:
    """The page as it is when it was just opened."""
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    chromium.errors.clear()
    chromium.requests.clear()
    chromium.resize(1280, 900)
    chromium.open(path)
    yield chromium
    assert chromium.errors == []
    assert chromium.requests == [path.resolve().as_uri()], "nothing else was asked for"


FIRST = "document.querySelector('#space .row').children[{}].textContent"
STATE = "document.getElementById('state').textContent"


def place(page: Page, selector: str) -> tuple[float, float]:
    box = page.value(
        f"(() => {{ const node = document.querySelector({json.dumps(selector)});"
        " node.scrollIntoView({block: 'center'});"
        " const box = node.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()"
    )
    return box[0], box[1]


@browser
@pytest.mark.slow
def test_sorting_and_filtering(shown: Page) -> None:
    assert shown.value(STATE) == "3,000 of 3,000 packages"
    assert shown.value(FIRST.format(1)) == "defective", "what is wrong comes first"
    for direction, number in (("descending", "1,008"), ("ascending", "0")):
        shown.click(*place(shown, "#head span:nth-child(6) button"))
        assert shown.value("document.querySelector('#head span:nth-child(6)').getAttribute('aria-sort')") == direction
        assert shown.value(FIRST.format(5)) == number
    shown.click(*place(shown, "#words"))
    shown.call("Input.insertText", text="GPT2-BASE-1")
    assert shown.value(STATE) == "10 of 3,000 packages", "1,000 to 1,900"
    shown.value("(() => { const box = document.getElementById('words'); box.value = '';"
                " box.dispatchEvent(new Event('input')); })()")  # fmt: skip
    shown.value("(() => { const box = document.getElementById('verdict'); box.value = 'defective';"
                " box.dispatchEvent(new Event('change')); })()")  # fmt: skip
    assert shown.value(STATE) == "30 of 3,000 packages"


@browser
@pytest.mark.slow
def test_the_list_draws_only_what_is_seen_and_scrolls_to_its_end(shown: Page) -> None:
    assert shown.value("document.querySelectorAll('#space .row').length") < 60
    place(shown, "#view")
    shown.value("document.getElementById('view').focus()")
    shown.key("End")
    assert shown.value("document.querySelector('#space .row.active .number').textContent") != ""
    assert shown.value("document.querySelector('#space .row:last-child').getAttribute('aria-rowindex')") == "3001"
    shown.key("Home")
    shown.key("ArrowDown")
    shown.key("Enter")
    assert "message evil/</script>" in shown.value("document.getElementById('detail').textContent")


@browser
@pytest.mark.slow
def test_hostile_names_are_text(shown: Page) -> None:
    shown.value("(() => { const box = document.getElementById('words'); box.value = 'onerror';"
                " box.dispatchEvent(new Event('input')); })()")  # fmt: skip
    assert shown.value(FIRST.format(0)) == EVIL
    assert shown.value("document.querySelectorAll('img').length") == 0
    assert shown.value("document.title") == "DARA: models.jsonl"


@browser
@pytest.mark.slow
def test_pointing_at_the_map_shows_the_package_and_a_click_lists_its_cluster(shown: Page) -> None:
    x, y = place(shown, "#canvas")
    width = shown.value("document.getElementById('canvas').clientWidth")
    height = shown.value("document.getElementById('canvas').clientHeight")
    # dots are at x 0, 1, 2 and y 0 to 29/30, fitted into the smaller of both directions
    scale = min((width - 40) / 2, (height - 40) / (29 / 30))
    at = (x + (1 - 1) * scale, y - (13 / 30 - 29 / 60) * scale)
    shown.mouse("mouseMoved", *at)
    tip = shown.value("document.getElementById('tip').hidden ? null : document.getElementById('tip').textContent")
    assert tip is not None
    assert "cluster 1" in tip
    assert "/bert-base-" in tip
    shown.click(*at)
    assert shown.value(STATE) == "500 of 3,000 packages"
    assert shown.value("document.getElementById('chip').textContent").startswith("only cluster 1")
    shown.value("document.getElementById('canvas').focus()")
    shown.key("ArrowRight")
    assert not shown.value("document.getElementById('tip').hidden"), "the map works without a mouse"


@browser
@pytest.mark.slow
def test_bars_and_study_tables(shown: Page) -> None:
    assert shown.value("document.querySelectorAll('#bars button').length") == 1
    shown.value("(() => { const box = document.getElementById('kind'); box.value = 'owners-largest';"
                " box.dispatchEvent(new Event('change')); })()")  # fmt: skip
    labels = shown.value("[...document.querySelectorAll('#bars button')].map((node) => node.textContent)")
    assert sorted(labels[:7]) == [f"org{n}" for n in range(7)]
    assert labels[7].startswith("evil/")
    shown.click(*place(shown, "#bars button"))
    assert shown.value("document.getElementById('chip').textContent").startswith(f"only owner {labels[0]}")
    column = "#study-owners table th:nth-child(4) button"
    shown.click(*place(shown, column))
    values = shown.value(
        "[...document.querySelector('#study-owners table').tBodies[0].rows]"
        ".map((row) => Number(row.cells[3].dataset.value))"
    )
    assert values == sorted(values, reverse=True)


@browser
@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 380])
@pytest.mark.parametrize("dark", [True, False])
def test_nothing_is_wider_than_the_window(shown: Page, width: int, dark: bool, tmp_path: Path) -> None:
    shown.resize(width, 800)
    shown.dark(dark)
    assert shown.value("document.documentElement.scrollWidth") <= width
    ink, paper = shown.value("[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]")
    assert ink != paper
    shown.picture(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 10_000
