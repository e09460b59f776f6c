"""The HTML page in a real browser at two widths: nothing overflows, overlaps or is cut, by measured boxes.

The page is put into a frame of the width, so that a browser's own smallest window does not matter, and its policy,
which allows no script, stays in force: the page around the frame measures.
"""

from __future__ import annotations

import html
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from clustering.facts import Fact, Facts
from clustering.identity import Part
from dara.fixing.records import CardChange, Fix, Rename
from dara.report import AuditReport, FailedAudit
from dara.reports.registry import format_of
from naming.records import Claim

BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)

MEASURE = """
const frame = document.querySelector("iframe"), found = [];
frame.addEventListener("load", () => {
  const page = frame.contentDocument, view = frame.contentWindow, width = page.documentElement.clientWidth;
  const name = (e) => e.tagName + "." + (e.getAttribute("class") || "") + " " + e.textContent.slice(0, 40);
  if (page.documentElement.scrollWidth > width) found.push("page wider than " + width);
  const leaves = [];
  for (const e of page.querySelectorAll("body *")) {
    const box = e.getBoundingClientRect(), style = view.getComputedStyle(e);
    if (!box.width || !box.height || e.closest("svg") && e.tagName !== "svg") continue;
    const scrolls = e.closest("pre");
    const outside = box.right > width + 0.5 || box.left < -0.5;
    if (outside && (!scrolls || scrolls === e)) found.push("out of the page: " + name(e));
    if (style.overflowX === "hidden" && e.scrollWidth > e.clientWidth + 1) found.push("cut: " + name(e));
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (own && !scrolls && style.display !== "inline") leaves.push([e, box]);
  }
  for (const [e, a] of leaves) for (const [f, b] of leaves) {
    if (e === f || e.contains(f) || f.contains(e)) continue;
    const x = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (x > 1 && y > 1) found.push("overlap: " + name(e) + " / " + name(f));
  }
  for (const svg of page.querySelectorAll("svg")) {
    const box = svg.querySelector("rect").getBoundingClientRect();
    for (const text of svg.querySelectorAll("text")) {
      const t = text.getBoundingClientRect();
      if (t.left < box.left || t.right > box.right || t.top < box.top || t.bottom > box.bottom)
        found.push("text outside its box: " + text.textContent);
    }
  }
  const out = document.createElement("pre");
  out.id = "measured";
  out.textContent = JSON.stringify({ found: found.slice(0, 20), width, texts: leaves.length });
  document.body.append(out);
});
"""


def measured(page: str, width: int, folder: Path) -> dict[str, object]:
    """What a browser finds wrong with a page in a frame of a width."""
    assert BROWSER is not None
    frame = f'<iframe style="width:{width}px;height:900px;border:0" srcdoc="{html.escape(page, quote=True)}"></iframe>'
    host = folder / f"host{width}.html"
    host.write_text(f'<!doctype html><meta charset="utf-8"><body>{frame}<script>{MEASURE}</script></body>', "utf-8")
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--virtual-time-budget=8000")
    try:
        done = subprocess.run(
            [BROWSER, *options, f"--user-data-dir={folder / 'profile'}", "--dump-dom", host.as_uri()],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.skip("the browser does not finish on this machine")
    result = re.search(r'<pre id="measured">(.*?)</pre>', done.stdout, re.DOTALL)
    if result is None:
        pytest.skip(f"the browser does not run on this machine: {done.stderr[-200:]}")
    document: dict[str, object] = json.loads(html.unescape(result[1]))
    return document


def render(*results: AuditReport | FailedAudit) -> str:
    sink = io.StringIO()
    format_of("html").write(list(results), sink)
    return sink.getvalue()


@pytest.fixture
def long_report(report: AuditReport) -> AuditReport:
    """Everything that a page can hold, in lengths that nobody expects: a word of 300 letters, eight parts."""
    word = "W" * 300
    finding = replace(report.outcomes.findings[0], message=f"name says {word}", claim=Claim("family", word, word))
    parts = tuple(Part("transformer decoder layer", f"multi-scale-deformable-{n}", "WWWWWWWW") for n in range(8))
    fix = Fix(
        Rename(f"acme/{word}", "acme/bert", ()),
        CardChange("README.md", f"license: {word}\n", "license: mit\n", ()),
    )
    return replace(
        report,
        package=replace(report.package, name=f"acme/{word}", repo=word),
        outcomes=replace(report.outcomes, findings=(finding, *report.outcomes.findings)),
        facts=Facts(
            [Fact("family", word, "declared", word), Fact("architecture_class", word, "declared", "config.json")]
        ),
        parts=parts,
        fix=fix,
    )


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [1280, 420])
def test_nothing_overflows_overlaps_or_is_cut(
    width: int, report: AuditReport, hostile_report: AuditReport, long_report: AuditReport, tmp_path: Path
) -> None:
    page = render(report, long_report, hostile_report, FailedAudit("x" * 200, "no such folder " * 30, 3))
    document = measured(page, width, tmp_path)
    assert document["width"] in (width, width - 15)  # a classic scroll bar takes 15
    assert int(str(document["texts"])) > 60
    assert document["found"] == []


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_the_measure_sees_broken_pages(report: AuditReport, tmp_path: Path) -> None:
    """A ruler that never reports anything measures nothing."""
    page = render(report)
    broken = {
        "page wider": page.replace("<main>", '<main><div style="width: 3000px">x</div>'),
        "overlap": page.replace("<h2>", '<p style="margin-bottom: -3rem">under it</p><h2>'),
        "cut": page.replace(
            "<h2>", '<p style="width: 4rem; overflow: hidden; white-space: nowrap">cut off here</p><h2>'
        ),
        "text outside its box": page.replace("swin-tiny", "swin-tiny-" + "x" * 60),
    }
    for number, (word, text) in enumerate(broken.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        found = measured(text, 420, folder)["found"]
        assert any(word in str(item) for item in found if isinstance(found, list)), (word, found)  # type: ignore[attr-defined]
