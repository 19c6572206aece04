"""A grid of images that is labeled with the keyboard, or by touch. It answers in the browser; labels come back here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

# Keys for the first classes; C and R are Streamlit's own, and the rest has a search field.
KEYS = (*"123456789", *"abdefghijklmnopqstuvwxyz")


@dataclass(frozen=True)
class Tile:
    """An image to be labeled: its row, its picture as a data URI, and its name."""

    row: int
    source: str
    name: str


@dataclass(frozen=True)
class Labeled:
    """What the user did: the labels of all images that were touched, by row, and whether more are asked for."""

    labels: Mapping[int, str | None]
    more: bool


def draw(
    tiles: Sequence[Tile],
    classes: Sequence[str],
    labels: Mapping[int, str | None],
    key: str,
    *,
    more: bool = True,
    waiting: Collection[int] | None = None,
) -> Labeled:
    """The grid. `labels` are those the images begin with; `key` names this set of images. more: whether there is a
    button for the next ones. waiting: rows that count as touched from the beginning, of a page that sends labels later:
    an image whose label is undone then is as untouched as it was. None: the page keeps each label at once, and an
    undone one is the label of before.
    """
    begun = {str(row): labels[row] for row in waiting or ()}
    result = _COMPONENT(
        data={
            "images": [{"row": tile.row, "src": tile.source, "name": tile.name} for tile in tiles],
            "classes": list(classes),
            "keys": list(KEYS[: len(classes)]),
            "labels": {str(row): label for row, label in labels.items()},
            "touched": begun,
            "waiting": waiting is not None,
            "more": more,
        },
        key=key,
        on_labels_change=_nothing,
        on_more_change=_nothing,
    )
    given = begun if result.labels is None else result.labels
    known = {*classes, None}
    rows = {tile.row for tile in tiles}
    touched = {int(row): label for row, label in given.items() if int(row) in rows and label in known}
    return Labeled(touched, bool(result.more))


def _nothing() -> None:
    """A change needs no more than the rerun that it brings."""


_HTML = """
<div class="root" tabindex="0" role="application" aria-label="Images to label">
  <div class="classes" role="toolbar" aria-label="Classes"></div>
  <div class="stage">
    <figure class="large"><img alt=""><figcaption dir="auto"></figcaption></figure>
    <div class="grid"></div>
  </div>
  <div class="hints"></div>
</div>
"""

_CSS = """
.root { outline: none; color: var(--st-text-color); font-family: var(--st-font); font-size: 0.9rem; }
.classes { display: flex; flex-wrap: wrap; gap: 6px; margin-bottom: 10px; align-items: center; }
.classes button, .hints button {
  font: inherit; color: inherit; background: var(--st-secondary-background-color); cursor: pointer;
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius); padding: 4px 10px;
  max-width: 100%; overflow-wrap: anywhere; text-align: start; min-height: 34px;
}
.classes button:hover, .hints button:hover { border-color: var(--st-primary-color); }
.classes button.now { border-color: var(--st-primary-color); box-shadow: inset 0 0 0 1px var(--st-primary-color); }
.classes button.gone { display: none; }
.classes kbd, .hints kbd {
  font: inherit; font-weight: 650; font-size: 0.8rem; border: 1px solid var(--st-border-color); border-radius: 4px;
  padding: 0 5px; margin-inline-end: 6px; background: var(--st-background-color);
}
.classes input {
  font: inherit; color: inherit; background: var(--st-background-color); width: 150px; min-height: 32px;
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius); padding: 2px 8px;
}
.stage { display: grid; grid-template-columns: minmax(220px, 340px) 1fr; gap: 16px; align-items: start; }
.large { margin: 0; }
.large img {
  width: 100%; aspect-ratio: 1; object-fit: contain; background: var(--st-secondary-background-color);
  border: 1px solid var(--st-border-color); border-radius: 6px; display: block;
}
.large figcaption { padding-top: 6px; overflow-wrap: anywhere; }
.large figcaption b { display: block; }
.large figcaption span { opacity: 0.7; font-size: 0.8rem; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(92px, 1fr)); gap: 8px; }
.tile {
  position: relative; padding: 0; border: 2px solid transparent; border-radius: 6px; background: none; cursor: pointer;
  font: inherit; color: inherit; text-align: start; overflow: hidden; min-width: 0;
}
.tile img {
  width: 100%; aspect-ratio: 1; object-fit: contain; display: block; border-radius: 4px;
  background: var(--st-secondary-background-color);
}
.tile span {
  display: block; font-size: 0.75rem; line-height: 1.25; padding: 2px 3px; min-height: 1.25em; overflow: hidden;
  text-overflow: ellipsis; white-space: nowrap; opacity: 0.55;
}
.tile.done span { opacity: 1; font-weight: 620; color: var(--st-primary-color); }
.tile.now { border-color: var(--st-border-color); }
.root:focus .tile.now, .root:focus-within .tile.now { border-color: var(--st-primary-color); }
.hints { display: flex; flex-wrap: wrap; gap: 6px 14px; margin-top: 12px; align-items: center; }
.hints .keys { opacity: 0.75; }
.hints button.more { background: var(--st-primary-color); color: #fff; border-color: var(--st-primary-color); }
@media (max-width: 640px) {
  .stage { grid-template-columns: 1fr; gap: 10px; }
  .large { display: grid; grid-template-columns: 46% 1fr; gap: 10px; align-items: start; }
  .grid { grid-template-columns: repeat(auto-fill, minmax(70px, 1fr)); gap: 6px; }
  .hints .keys { display: none; }
}
"""

_JS = """
const memory = new WeakMap()
const SEND_AFTER = 250 // ms without a key

function make(tag, className, text) {
  const element = document.createElement(tag)
  if (className) element.className = className
  if (text !== undefined) element.textContent = text
  return element
}

export default function (component) {
  const { data, parentElement, setStateValue, setTriggerValue } = component
  const root = parentElement.querySelector(".root")
  if (!root || !data) return
  let kept = memory.get(parentElement)
  if (!kept) {
    kept = { labels: { ...data.labels }, touched: { ...data.touched }, place: 0, history: [], timer: null }
    const first = data.images.findIndex((image) => !kept.labels[image.row])
    kept.place = Math.max(0, first)
    memory.set(parentElement, kept)
    setTimeout(() => root.focus({ preventScroll: true }), 50)
  }
  const { images, classes, keys } = data
  const grid = root.querySelector(".grid")
  const toolbar = root.querySelector(".classes")
  const large = root.querySelector(".large")
  const hints = root.querySelector(".hints")

  const send = () => {
    clearTimeout(kept.timer)
    kept.timer = null
    setStateValue("labels", { ...kept.touched })
  }
  const later = () => {
    clearTimeout(kept.timer)
    kept.timer = setTimeout(send, SEND_AFTER)
  }
  const put = (row, label) => {
    kept.labels[row] = label
    kept.touched[row] = label
    later()
  }
  const next = () => {
    for (let step = 1; step <= images.length; step++) {
      const place = (kept.place + step) % images.length
      if (!kept.labels[images[place].row]) return place
    }
    return Math.min(kept.place + 1, images.length - 1)
  }
  const label = (name) => {
    const row = images[kept.place].row
    kept.history.push([row, kept.labels[row] ?? null, kept.place, row in kept.touched])
    put(row, name)
    if (name !== null) kept.place = next()
    paint()
  }
  const undo = () => {
    const last = kept.history.pop()
    if (!last) return
    put(last[0], last[1])
    if (data.waiting && !last[3]) delete kept.touched[last[0]]
    kept.place = last[2]
    paint()
  }
  const more = () => {
    if (!data.more) return
    send()
    setTriggerValue("more", true)
  }
  const across = () => {
    const tiles = grid.children
    let count = 1
    while (count < tiles.length && tiles[count].offsetTop === tiles[0].offsetTop) count++
    return count
  }
  const move = (step) => {
    kept.place = Math.min(images.length - 1, Math.max(0, kept.place + step))
    paint()
  }

  const build = () => {
    toolbar.replaceChildren()
    classes.forEach((name, number) => {
      const button = make("button")
      button.type = "button"
      if (keys[number]) button.append(make("kbd", "", keys[number].toUpperCase()))
      const text = make("bdi", "", name)
      button.append(text)
      button.onclick = () => { label(name); root.focus({ preventScroll: true }) }
      toolbar.append(button)
    })
    if (classes.length > 9) {
      const search = make("input")
      search.type = "search"
      search.placeholder = "Find a class  /"
      search.setAttribute("aria-label", "Find a class")
      const shown = () => [...toolbar.querySelectorAll("button:not(.gone)")]
      search.oninput = () => {
        const wanted = search.value.trim().toLowerCase()
        ;[...toolbar.querySelectorAll("button")].forEach((button, number) =>
          button.classList.toggle("gone", !classes[number].toLowerCase().includes(wanted)))
      }
      search.onkeydown = (event) => {
        event.stopPropagation()
        if (event.key === "Enter" && shown().length) shown()[0].click()
        if (event.key === "Enter" || event.key === "Escape") {
          search.value = ""
          search.oninput()
          root.focus({ preventScroll: true })
        }
      }
      toolbar.prepend(search)
    }
    grid.replaceChildren()
    images.forEach((image, place) => {
      const tile = make("button", "tile")
      tile.type = "button"
      tile.tabIndex = -1
      tile.title = image.name
      const picture = make("img")
      picture.src = image.src
      picture.alt = image.name
      const text = make("span")
      text.dir = "auto"
      tile.append(picture, text)
      tile.onclick = () => { kept.place = place; paint(); root.focus({ preventScroll: true }) }
      grid.append(tile)
    })
    hints.replaceChildren()
    const keysLine = make("span", "keys")
    const range = keys.length > 1 ? keys[0] + "\\u2013" + keys.at(-1).toUpperCase() : keys[0]
    for (const [key, meaning] of [["\\u2190\\u2191\\u2193\\u2192", "move"], [range, "label"],
      ["Space", "skip"], ["0", "no label"], ["\\u232b", "undo"], ["Enter", "next images"]]) {
      if (!key || (key === "Enter" && !data.more)) continue
      keysLine.append(make("kbd", "", key), document.createTextNode(meaning + "\\u2003"))
    }
    for (const [name, text, act] of [["undo", "Undo", undo], ["none", "No label", () => label(null)],
      ["more", "Next images", more]]) {
      if (name === "more" && !data.more) continue
      const button = make("button", name, text)
      button.type = "button"
      button.onclick = () => { act(); root.focus({ preventScroll: true }) }
      hints.append(button)
    }
    hints.append(keysLine)
  }

  const paint = () => {
    const current = images[kept.place]
    images.forEach((image, place) => {
      const tile = grid.children[place]
      const name = kept.labels[image.row]
      tile.classList.toggle("done", Boolean(name))
      tile.classList.toggle("now", place === kept.place)
      tile.setAttribute("aria-pressed", String(place === kept.place))
      tile.lastChild.textContent = name || "unlabeled"
    })
    const chosen = kept.labels[current.row]
    large.querySelector("img").src = current.src
    large.querySelector("img").alt = current.name
    large.querySelector("figcaption").replaceChildren(
      make("b", "", chosen || "unlabeled"), make("span", "", current.name))
    ;[...toolbar.querySelectorAll("button")].forEach((button, number) => {
      button.classList.toggle("now", classes[number] === chosen)
      button.setAttribute("aria-pressed", String(classes[number] === chosen))
    })
    hints.querySelector(".undo").disabled = !kept.history.length
  }

  root.onkeydown = (event) => {
    if (event.altKey || event.metaKey) return
    const key = event.key
    if ((key === "Enter" || key === " ") && event.target.closest("button")) return // which it presses
    let used = true
    if ((event.ctrlKey && key.toLowerCase() === "z") || key === "Backspace") undo()
    else if (event.ctrlKey) used = false
    else if (key === "ArrowRight") move(1)
    else if (key === "ArrowLeft") move(-1)
    else if (key === "ArrowDown") move(across())
    else if (key === "ArrowUp") move(-across())
    else if (key === " ") move(1)
    else if (key === "0" || key === "Delete") label(null)
    else if (key === "Enter") more()
    else if (key === "/" && toolbar.querySelector("input")) toolbar.querySelector("input").focus()
    else if (keys.includes(key.toLowerCase())) label(classes[keys.indexOf(key.toLowerCase())])
    else used = false
    if (used) {
      event.preventDefault()
      event.stopPropagation()
    }
  }
  if (kept.built !== JSON.stringify([images.map((image) => image.row), classes])) {
    kept.built = JSON.stringify([images.map((image) => image.row), classes])
    build()
  }
  paint()
  return () => clearTimeout(kept.timer)
}
"""

_COMPONENT = st.components.v2.component("labeler", html=_HTML, css=_CSS, js=_JS)
