"""`python -m tests.benchmarks.accessibility AXE [--json]`: what axe finds on every page, both themes, wide and narrow.

AXE is the file axe.min.js of the npm package axe-core (docs/accessibility.md says how to get it); nothing else needs
it. The workbench is served with a workspace of its own. Rules are those of WCAG 2.2, levels A and AA; what axe calls
minor or moderate is left out. Of what Streamlit draws itself, and no page can change, the exceptions are listed in
`STREAMLIT`; everything else is a finding, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, expect

from engine.workspace import Workspace
from tests.app import made_runs
from tests.browser.chromium import launched
from tests.browser.server import serving
from tests.browser.workbench import PATIENCE, Workbench

TASK = "task=emoji-fluent"
ENDED = "ENDED"  # in place of the comparison that is made for this
PAGES = {
    "Start": "",
    "Start, a task chosen": f"?{TASK}",
    "Task": f"task?{TASK}",
    "Task, many classes": "task?task=quickdraw",
    "Teachers": f"teachers?{TASK}",
    "Add a teacher": f"add-teacher?{TASK}",
    "Features": f"features?{TASK}",
    "Distill": f"distill?{TASK}",
    "Distill, runs that have ended": f"distill?{TASK}&comparison={ENDED}",
    "Results, accuracy": f"results?{TASK}&comparison=recorded",
    "Results, errors": f"results?{TASK}&comparison=recorded&section=errors",
    "Results, trust": f"results?{TASK}&comparison=recorded&section=trust",
    "Results, labels": f"results?{TASK}&comparison=recorded&section=labels",
    "Results, take away": f"results?{TASK}&comparison=recorded&section=take-away",
    "Predict": f"predict?{TASK}",
    "Learn": f"learn?{TASK}",
    "Import": "import",
}
SIZES = {"wide": {"width": 1440, "height": 900}, "narrow": {"width": 390, "height": 844}}
THEMES = ("light", "dark")
GRAVE = ("serious", "critical")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
LOADED = 5 * PATIENCE
DRAWN = 1500  # ms until charts and pictures stand
STREAMLIT = {  # rule of axe -> what the selector or the HTML of an exception contains
    "scrollable-region-focusable": ("katex-display",),  # a formula wider than the screen
    "target-size": ('aria-label="Clear value"',),  # the cross of a list, 22.5 instead of 24 pixels wide
}


@dataclass(frozen=True)
class Finding:
    """One rule that one element of a page breaks."""

    page: str
    theme: str
    size: str
    rule: str
    impact: str
    selector: str
    html: str
    said: str

    @property
    def streamlits(self) -> bool:
        """Whether it is in what Streamlit draws itself."""
        return any(part in self.selector or part in self.html for part in STREAMLIT.get(self.rule, ()))


def main(arguments: list[str]) -> int:
    """Look at all pages; 1 if there is a finding of our own."""
    parser = argparse.ArgumentParser(description="What axe finds on every page.")
    parser.add_argument("axe", type=Path, help="axe.min.js of the npm package axe-core")
    parser.add_argument("--json", action="store_true", help="every finding as JSON")
    parser.add_argument("--only", choices=PAGES, action="append", help="this page alone; may be given again")
    parser.add_argument("--themes", nargs="+", choices=THEMES, default=THEMES)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=tuple(SIZES))
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder) / "workspace")
        ended = _ended(workspace)
        pages = {name: PAGES[name].replace(ENDED, ended) for name in options.only or PAGES}
        with serving(workspace, Path(folder) / "log") as server, launched() as browser:
            found = [
                finding
                for theme in options.themes
                for size in options.sizes
                for finding in look(browser, server.url, pages, theme, size, options.axe.read_text())
            ]
    own = [finding for finding in found if not finding.streamlits]
    if options.json:
        print(json.dumps([asdict(finding) for finding in found], indent=1))
    else:
        _print(own, len(found) - len(own))
    return 1 if own else 0


def _ended(workspace: Workspace) -> str:
    """Id of a comparison with a run that is done and one that failed."""
    _, comparison = made_runs.planned(workspace, ["fine-tune", "fixmatch"], [0])
    made_runs.finish_runs(workspace, comparison.runs[:1])
    made_runs.fail(workspace, comparison.runs[1], "The disk is full.")
    return comparison.id


def look(browser: Browser, url: str, pages: Mapping[str, str], theme: str, size: str, axe: str) -> list[Finding]:
    """What axe finds on the pages, in one theme and size."""
    context = browser.new_context(viewport=SIZES[size], color_scheme=theme, reduced_motion="reduce")
    workbench, found = Workbench(context.new_page(), url), []
    for name, address in pages.items():
        workbench.open(address)
        expect(workbench.tab.get_by_role("heading", level=1)).to_be_visible(timeout=LOADED)  # the engine loads once
        workbench.settle()
        workbench.tab.wait_for_timeout(DRAWN)
        workbench.tab.evaluate(axe)
        result = workbench.tab.evaluate(
            "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})", TAGS
        )
        found += [f for violation in result["violations"] for f in _findings(violation, name, theme, size)]
        print(f"{theme}, {size}: {name}", file=sys.stderr, flush=True)
    context.close()
    return found


def _findings(violation: dict[str, Any], page: str, theme: str, size: str) -> list[Finding]:
    return [
        Finding(
            page,
            theme,
            size,
            violation["id"],
            str(node["impact"]),
            " ".join(map(str, node["target"])),
            node["html"][:300],
            " ".join(str(node["failureSummary"]).split()),
        )
        for node in violation["nodes"]
        if node["impact"] in GRAVE
    ]


def _print(own: list[Finding], excepted: int) -> None:
    where: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for one in own:
        where[one.rule, one.html, one.said].append(f"{one.page} ({one.theme}, {one.size})")
    for (rule, html, said), places in where.items():
        print(f"{rule}: {html}\n    {said}\n    {'; '.join(dict.fromkeys(places))}")
    print(f"{len(own)} findings of our own, {excepted} in what Streamlit draws itself.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
