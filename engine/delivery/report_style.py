"""How the report looks: on wide and narrow screens, light and dark, and on paper."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1a2421; --soft: #5b6763; --line: #d9dfdd; --wash: #f4f7f6;
  --accent: #14776a; --right: #3f6fd8; --wrong: #d1691f; --strength: 62%;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #121816; --ink: #e8eeec; --soft: #9fada8; --line: #2f3a37; --wash: #1a2321;
    --accent: #45c0ae; --right: #5b86e5; --wrong: #e0813a; --strength: 55%;
  }
}
* { box-sizing: border-box; }
html { background: var(--paper); color: var(--ink); -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 60rem;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  overflow-wrap: break-word;
}
header { border-bottom: 1px solid var(--line); padding-bottom: 1.25rem; }
.kind { color: var(--accent); font-weight: 600; margin: 0; }
h1 { font-size: 2rem; line-height: 1.2; margin: .15rem 0 .5rem; }
h2 { font-size: 1.35rem; line-height: 1.3; margin: 2.75rem 0 .75rem; padding-top: .25rem; }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .5rem; }
p { margin: .6rem 0; max-width: 46rem; }
.lead { font-size: 1.2rem; line-height: 1.5; }
.note, figcaption, caption { color: var(--soft); font-size: .875rem; line-height: 1.45; }
.mark { border-left: 3px solid var(--wrong); background: var(--wash); padding: .5rem .85rem; }
nav { margin: 1rem 0 0; font-size: .925rem; }
nav a { color: var(--accent); margin-right: 1.1rem; white-space: nowrap; }
dl { margin: .75rem 0; display: grid; gap: .15rem 0; }
dl div { display: grid; grid-template-columns: minmax(9rem, 14rem) 1fr; gap: .25rem 1rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin: .9rem 0; }
table { border-collapse: collapse; font-size: .925rem; line-height: 1.4; }
caption { text-align: left; padding-bottom: .35rem; }
th, td { padding: .32rem .9rem .32rem 0; border-bottom: 1px solid var(--line); vertical-align: top; text-align: left; }
th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th.number { white-space: normal; min-width: 4.5rem; }
td.word { min-width: 7rem; }
figure { margin: 1rem 0; }
svg { display: block; width: 100%; max-width: 34rem; height: auto; font-size: 12px; font-family: inherit; }
svg text { fill: var(--ink); }
svg .soft { fill: var(--soft); }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .even { stroke: var(--soft); stroke-width: 1.2; stroke-dasharray: 4 4; }
svg .bar { fill: var(--soft); opacity: .45; }
svg .best .bar { fill: var(--accent); opacity: .8; }
svg .whisker { stroke: var(--ink); stroke-width: 1.5; }
svg .dot { fill: var(--paper); stroke: var(--ink); stroke-width: 1; }
svg .run { fill: none; stroke: var(--soft); stroke-width: 1.6; }
svg .run.best { stroke: var(--accent); stroke-width: 2.6; }
svg .mass { fill: var(--accent); }
svg .band { fill: var(--accent); opacity: .16; }
svg.square { max-width: 21rem; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 0 2rem; }
.pictures { display: flex; flex-wrap: wrap; gap: .75rem; margin: .75rem 0; }
.pictures figure { margin: 0; width: 6rem; break-inside: avoid; }
.pictures img { display: block; width: 6rem; height: 6rem; border: 1px solid var(--line); border-radius: 4px; }
.pictures figcaption { font-size: .75rem; line-height: 1.3; padding-top: .2rem; overflow-wrap: anywhere; }
.matrix table { font-size: .8rem; }
.matrix th, .matrix td { border: 1px solid var(--line); padding: .2rem .35rem; }
.matrix td { text-align: right; min-width: 2.1rem; font-variant-numeric: tabular-nums; }
.matrix thead th { vertical-align: bottom; }
.matrix thead th span { writing-mode: vertical-rl; transform: rotate(180deg); max-height: 9rem; overflow: hidden; }
.matrix tbody th { text-align: right; font-weight: 400; color: var(--ink); max-width: 11rem; }
.matrix .r { background: color-mix(in srgb, var(--right) calc(var(--strength) * var(--s)), transparent); }
.matrix .w { background: color-mix(in srgb, var(--wrong) calc(var(--strength) * var(--s)), transparent); }
pre {
  background: var(--wash); border: 1px solid var(--line); border-radius: 4px; padding: .75rem .9rem;
  white-space: pre-wrap; overflow-wrap: anywhere; font-size: .875rem;
}
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1rem; }
@media (max-width: 34rem) {
  body { padding-top: 1.5rem; }
  h1 { font-size: 1.6rem; }
  .lead { font-size: 1.1rem; }
  dl div { grid-template-columns: 1fr; gap: 0; padding-bottom: .4rem; }
}
@media print {
  :root {
    color-scheme: light;
    --paper: #ffffff; --ink: #000000; --soft: #4b5552; --line: #c9d0ce; --wash: #f6f8f7;
    --accent: #14776a; --right: #3f6fd8; --wrong: #d1691f; --strength: 62%;
  }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  @page { margin: 16mm 14mm; }
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  nav { display: none; }
  h2, h3 { break-after: avoid; }
  figure, tr, pre, dl div { break-inside: avoid; }
  .wide { overflow: visible; }
  svg { max-width: 28rem; }
}
"""
