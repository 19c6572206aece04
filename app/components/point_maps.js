// One or two maps of the same images, drawn point by point into the pixels of a canvas: no library, no graphics card.
// Linked: what is hovered or picked in one shows in the other. Pictures come one by one, when they are looked at.

const memory = new WeakMap()
const NEAR = 12 // CSS pixels around the pointer in which an image is found
const SHOWN = 60 // pictures in the grid; more are counted
const SEND_AFTER = 60 // ms after the last change of what is picked
const CRISP = 20000 // up to so many points, edges are smooth
const CLICK = 4 // CSS pixels that a click may move
const LABELED = 4, MARK = 3 // bits of a point's flags
const NEARBY = 20 // images that the key N picks

function make(tag, className, text) {
  const element = document.createElement(tag)
  if (className) element.className = className
  if (text !== undefined) element.textContent = text
  return element
}

function decode(text, Type) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
  return new Type(bytes.buffer)
}

function encode(numbers) {
  const bytes = new Uint8Array(Int32Array.from(numbers).buffer)
  let text = ""
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192))
  return btoa(text)
}

// [R, G, B, A] as one number, as the pixels of a canvas have it.
function packed(color, alpha) {
  const value = parseInt(color.slice(1), 16)
  return ((alpha << 24) | ((value & 255) << 16) | (value & 0xff00) | (value >> 16)) >>> 0
}

// The pixels that a mark covers, and how much of each: a disc, a diamond or a cross.
function stamp(mark, radius, smooth) {
  const reach = Math.ceil(radius) + 1
  const found = { across: [], down: [], cover: [] }
  for (let y = -reach; y <= reach; y++) {
    for (let x = -reach; x <= reach; x++) {
      const apart = [Math.hypot(x, y), (Math.abs(x) + Math.abs(y)) / 1.2,
        Math.max(Math.abs(Math.abs(x) - Math.abs(y)) * 1.1 + radius - 1.6, Math.max(Math.abs(x), Math.abs(y)))][mark]
      let cover = Math.max(0, Math.min(1, radius + 0.5 - apart))
      if (!smooth) cover = cover >= 0.5 ? 1 : 0
      if (cover > 0) {
        found.across.push(x); found.down.push(y); found.cover.push(Math.round(255 * cover))
      }
    }
  }
  return { ...found, reach }
}

function inside(polygon, x, y) {
  let within = false
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [ax, ay] = polygon[i], [bx, by] = polygon[j]
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) within = !within
  }
  return within
}

class PointMap {
  constructor(figure, spec, points) {
    this.figure = figure
    this.points = points
    this.stage = figure.querySelector(".stage")
    this.canvas = figure.querySelector(".points")
    this.over = figure.querySelector(".over")
    this.view = null
    this.load(spec)
  }

  load(spec) {
    const flat = decode(spec.xy, Uint16Array)
    const n = flat.length / 2
    this.n = n
    this.x = new Float32Array(n)
    this.y = new Float32Array(n)
    let right = 0, top = 0
    for (let i = 0; i < n; i++) {
      right = Math.max(right, (this.x[i] = flat[2 * i] / 65535))
      top = Math.max(top, (this.y[i] = flat[2 * i + 1] / 65535))
    }
    this.extent = [right || 1, top || 1]
    this.codes = decode(spec.codes, Int16Array)
    const colors = [...spec.colors, spec.grayColor]
    this.full = Uint32Array.from(colors, (color) => packed(color, 255))
    this.dim = Uint32Array.from(colors, (color) => packed(color, 56))
  }

  resize() {
    const density = Math.min(2, window.devicePixelRatio || 1)
    const width = Math.max(1, Math.round(this.stage.clientWidth * density))
    const height = Math.max(1, Math.round(this.stage.clientHeight * density))
    this.density = density
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.stale = true
      for (const canvas of [this.canvas, this.over]) {
        canvas.width = width
        canvas.height = height
      }
      this.image = new ImageData(width, height)
      this.pixels = new Uint32Array(this.image.data.buffer)
      if (!this.view || this.view.fitted) this.fit()
    }
  }

  fit() {
    const [width, height] = this.extent
    const room = 0.92
    const scale = Math.min((room * this.canvas.width) / width, (room * this.canvas.height) / height)
    this.view = { x: width / 2, y: height / 2, scale, fitted: true }
  }

  place(i) {
    return [
      (this.x[i] - this.view.x) * this.view.scale + this.canvas.width / 2,
      this.canvas.height / 2 - (this.y[i] - this.view.y) * this.view.scale,
    ]
  }

  at(px, py) {
    return [
      (px - this.canvas.width / 2) / this.view.scale + this.view.x,
      (this.canvas.height / 2 - py) / this.view.scale + this.view.y,
    ]
  }

  move(dx, dy) {
    this.view.x -= dx / this.view.scale
    this.view.y += dy / this.view.scale
    this.view.fitted = false
  }

  zoom(factor, px = this.canvas.width / 2, py = this.canvas.height / 2) {
    const [x, y] = this.at(px, py)
    const smallest = 0.5 * Math.min(this.canvas.width / this.extent[0], this.canvas.height / this.extent[1])
    this.view.scale = Math.min(Math.max(this.view.scale * factor, smallest), 4000 * smallest)
    const [nx, ny] = this.at(px, py)
    this.view.x += x - nx
    this.view.y += y - ny
    this.view.fitted = false
  }

  radius() {
    const usual = this.n < 2000 ? 3.6 : this.n <= CRISP ? 2.8 : 1.6
    const [width, height] = this.extent
    const fitted = 0.92 * Math.min(this.canvas.width / width, this.canvas.height / height)
    return usual * this.density * Math.min(2.2, Math.max(1, Math.pow(this.view.scale / fitted, 0.35)))
  }

  paint() {
    const { flags, picked, count } = this.points
    const width = this.canvas.width, height = this.canvas.height
    this.pixels.fill(0)
    const radius = this.radius(), smooth = this.n <= CRISP
    const stamps = [stamp(0, radius, smooth), stamp(1, radius * 1.6, true), stamp(2, radius * 1.5, true)]
    const colors = count ? this.dim : this.full
    const gray = this.full.length - 1
    for (let pass = 0; pass < 3; pass++) {
      if (pass === 2 && !count) break
      for (let i = 0; i < this.n; i++) {
        const mark = flags[i] & MARK
        const wanted = picked[i] ? 2 : mark ? 1 : 0
        if (wanted !== pass) continue
        const code = this.codes[i]
        this.put(i, stamps[mark], (pass === 2 ? this.full : colors)[code < 0 ? gray : code], width, height)
      }
    }
    this.canvas.getContext("2d").putImageData(this.image, 0, 0)
  }

  put(i, shape, color, width, height) {
    const x = Math.round((this.x[i] - this.view.x) * this.view.scale + width / 2)
    const y = Math.round(height / 2 - (this.y[i] - this.view.y) * this.view.scale)
    const reach = shape.reach
    if (x < reach || y < reach || x >= width - reach || y >= height - reach) return
    const { across, down, cover } = shape
    const pixels = this.pixels
    for (let k = 0; k < across.length; k++) {
      const at = (y + down[k]) * width + x + across[k]
      if (cover[k] === 255) pixels[at] = color
      else pixels[at] = blend(pixels[at], color, cover[k])
    }
  }

  nearest(px, py, reach) {
    const [x, y] = this.at(px, py)
    let best = -1, least = (reach / this.view.scale) ** 2
    for (let i = 0; i < this.n; i++) {
      const dx = this.x[i] - x, dy = this.y[i] - y
      const apart = dx * dx + dy * dy
      if (apart < least) { least = apart; best = i }
    }
    return best
  }

  towards(from, dx, dy) {
    let best = -1, least = Infinity
    for (let i = 0; i < this.n; i++) {
      const ax = this.x[i] - this.x[from], ay = this.y[i] - this.y[from]
      const along = ax * dx + ay * dy
      const aside = Math.abs(ax * dy - ay * dx)
      if (along <= 1e-6 || aside > 1.5 * along) continue
      const cost = along + 2 * aside
      if (cost < least) { least = cost; best = i }
    }
    return best
  }

  around(i, count) {
    const apart = Float32Array.from(this.x, (x, j) => (x - this.x[i]) ** 2 + (this.y[j] - this.y[i]) ** 2)
    return Array.from(apart.keys()).sort((a, b) => apart[a] - apart[b]).slice(0, count)
  }

  caught(path) {
    const polygon = path.map(([px, py]) => this.at(px, py))
    const xs = polygon.map((p) => p[0]), ys = polygon.map((p) => p[1])
    const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)]
    const found = []
    for (let i = 0; i < this.n; i++) {
      const x = this.x[i], y = this.y[i]
      if (x >= left && x <= right && y >= low && y <= high && inside(polygon, x, y)) found.push(i)
    }
    return found
  }

  // What lies above the points: the image that is looked at, and a lasso being drawn.
  mark(hovered, path, color) {
    const context = this.over.getContext("2d")
    context.clearRect(0, 0, this.over.width, this.over.height)
    context.lineWidth = 2 * this.density
    context.strokeStyle = color
    if (path && path.length > 1) {
      context.beginPath()
      path.forEach(([x, y], k) => (k ? context.lineTo(x, y) : context.moveTo(x, y)))
      context.closePath()
      context.globalAlpha = 0.12
      context.fillStyle = color
      context.fill()
      context.globalAlpha = 1
      context.stroke()
    }
    if (hovered >= 0) {
      const [x, y] = this.place(hovered)
      context.beginPath()
      context.arc(x, y, this.radius() + 5 * this.density, 0, 2 * Math.PI)
      context.stroke()
    }
  }
}

function blend(below, color, cover) {
  const alpha = ((color >>> 24) * cover) / 255
  if (!below) return ((color & 0xffffff) | (Math.round(alpha) << 24)) >>> 0
  const share = alpha / 255
  const mix = (shift) => {
    const under = (below >>> shift) & 255
    return Math.round(under + (((color >>> shift) & 255) - under) * share)
  }
  return ((Math.max(below >>> 24, alpha) << 24) | (mix(16) << 16) | (mix(8) << 8) | mix(0)) >>> 0
}

export default function (component) {
  const { data, parentElement, setStateValue, setTriggerValue } = component
  const root = parentElement.querySelector(".root")
  if (!root || !data) return
  let kept = memory.get(parentElement)
  if (!kept || kept.root !== root) {
    kept = { root, tool: "move", hovered: -1, current: -1, stamp: null, version: null, maps: [], frame: 0 }
    memory.set(parentElement, kept)
  }
  Object.assign(kept, { data, setStateValue, setTriggerValue }) // listeners outlive this call, and look here for what holds now
  const parts = Object.fromEntries(["bar", "body", "maps", "picked", "tip", "live"].map((name) => [
    name, root.querySelector("." + name)]))
  const page = location.href.replace(/[?#].*$/, "").replace(/\/+$/, "")
  const source = (i) => new URL(`${kept.data.pictures}/${kept.points.rows[i]}.webp`, page).href
  const accent = () => getComputedStyle(root).getPropertyValue("--st-text-color").trim() || "#888"
  const className = (i) => (kept.points.labels[i] < 0 ? kept.data.unknown : kept.data.classes[kept.points.labels[i]])
  const isLabeled = (i) => Boolean(kept.points.flags[i] & LABELED)
  const imageName = (i) => (kept.data.ids.length ? kept.data.ids[i] : `image ${kept.points.rows[i].toLocaleString("en")}`)

  const repaint = (only) => {
    for (const map of only ? [only] : kept.maps) map.stale = true
    if (kept.frame) return
    kept.frame = requestAnimationFrame(() => {
      kept.frame = 0
      const begun = performance.now()
      for (const map of kept.maps) {
        map.resize()
        if (map.stale) map.paint()
        map.stale = false
        map.mark(kept.hovered, map === kept.drawing ? kept.path : null, accent())
      }
      root.dataset.painted = (performance.now() - begun).toFixed(1)
    })
  }
  const marks = () => kept.maps.forEach((map) => map.mark(kept.hovered, map === kept.drawing ? kept.path : null, accent()))

  const say = (text) => { parts.live.textContent = text }

  const hover = (i, event) => {
    if (i !== kept.hovered) {
      kept.hovered = i
      marks()
      parts.tip.hidden = i < 0
      if (i >= 0) {
        const picture = parts.tip.querySelector("img")
        picture.src = source(i)
        picture.alt = className(i)
        parts.tip.querySelector("span").replaceChildren(
          make("b", "", className(i)), make("br"), isLabeled(i) ? "labeled" : "unlabeled", make("br"), imageName(i))
      }
    }
    if (i >= 0 && event) {
      const box = root.getBoundingClientRect()
      const width = Math.min(280, box.width)
      parts.tip.style.left = `${Math.max(0, Math.min(event.clientX - box.left + 16, box.width - width))}px`
      parts.tip.style.top = `${event.clientY - box.top + 16}px`
    }
  }

  const send = () => {
    clearTimeout(kept.timer)
    kept.timer = setTimeout(() => {
      const rows = []
      for (let i = 0; i < kept.points.n; i++) if (kept.points.picked[i]) rows.push(kept.points.rows[i])
      kept.setStateValue("picked", { stamp: kept.data.stamp, rows: encode(rows) })
    }, SEND_AFTER)
  }

  const pick = (found, how) => {
    const { picked, n } = kept.points
    if (how === "only") picked.fill(0)
    for (const i of found) picked[i] = how === "turn" ? 1 - picked[i] : 1
    let count = 0
    for (let i = 0; i < n; i++) count += picked[i]
    kept.points.count = count
    kept.current = -1
    repaint()
    fillGrid()
    send()
    say(`${count.toLocaleString("en")} picked`)
  }

  const chosen = () => {
    const all = []
    for (let i = 0; i < kept.points.n; i++) if (kept.points.picked[i]) all.push(i)
    if (kept.data.order && kept.data.order.length) {
      const place = new Map(kept.data.order.map((row, k) => [row, k]))
      all.sort((a, b) => (place.get(kept.points.rows[a]) ?? 1e9) - (place.get(kept.points.rows[b]) ?? 1e9))
    }
    if (all.length <= SHOWN) return all
    return Array.from({ length: SHOWN }, (_, k) => all[Math.floor((k * (all.length - 1)) / (SHOWN - 1))])
  }

  const words = (i) => (globalThis.workbenchWords?.[kept.data.name] ?? {})[kept.points.rows[i]]

  const caption = (figure, i) => {
    const said = words(i)
    const lines = [make("b", "", className(i))]
    lines[0].dir = "auto"
    for (const line of said ?? []) {
      const element = make("span", "", line)
      element.dir = "auto"
      lines.push(element)
    }
    figure.querySelector("figcaption").replaceChildren(...lines)
    return Boolean(said)
  }

  const fillWords = () => {
    const grid = parts.picked.querySelector(".grid")
    if (!grid) return
    let worded = false
    for (const figure of grid.children) worded = caption(figure, Number(figure.dataset.place)) || worded
    grid.classList.toggle("worded", worded)
  }

  const choose = (i) => {
    kept.current = kept.current === i ? -1 : i
    for (const figure of parts.picked.querySelectorAll("figure")) {
      figure.querySelector("button").setAttribute("aria-pressed", String(Number(figure.dataset.place) === kept.current))
    }
    const like = parts.picked.querySelector(".like")
    if (like) like.disabled = kept.current < 0
    hover(kept.current, null)
    parts.tip.hidden = true
  }

  const fillGrid = () => {
    const { count, picked, n } = kept.points
    parts.bar.querySelector(".clear").disabled = !count
    if (!count) {
      const hint = make("p", "", "Click a point to see its image; Shift adds one. Or take the lasso and draw around many.")
      parts.picked.replaceChildren(hint)
      return
    }
    const counts = new Map()
    for (let i = 0; i < n; i++) if (picked[i]) counts.set(className(i), (counts.get(className(i)) ?? 0) + 1)
    const most = [...counts].sort((a, b) => b[1] - a[1])
    const named = most.slice(0, 6).map(([name, number]) => `${number.toLocaleString("en")} ${name}`)
    if (most.length > 6) named.push(`and ${most.length - 6} other classes`)
    const shown = chosen()
    const grid = make("div", "grid")
    for (const i of shown) {
      const figure = make("figure")
      figure.dataset.place = i
      const button = make("button", isLabeled(i) ? "marked" : "")
      button.type = "button"
      button.setAttribute("aria-pressed", "false")
      button.title = imageName(i)
      const picture = make("img")
      picture.alt = `${className(i)}, ${isLabeled(i) ? "labeled" : "unlabeled"}, ${imageName(i)}`
      picture.decoding = "async"
      picture.src = source(i)
      button.append(picture)
      button.onclick = () => choose(i)
      button.onpointerenter = () => { kept.hovered = i; marks() }
      button.onfocus = button.onpointerenter
      button.onpointerleave = () => { kept.hovered = kept.current; marks() }
      figure.append(button, make("figcaption"))
      grid.append(figure)
    }
    const head = make("h4", "", `${count.toLocaleString("en")} ${count === 1 ? "image" : "images"}`)
    const about = make("p", "", named.join(", ") + (count > SHOWN ? `. ${SHOWN} of them are shown, evenly from all.` : ""))
    about.dir = "auto"
    parts.picked.replaceChildren(head, about, grid)
    if (kept.data.like) {
      const like = make("button", "like", "More like this")
      like.type = "button"
      like.disabled = true
      like.title = kept.data.like
      like.onclick = () => kept.setTriggerValue("like", kept.points.rows[kept.current])
      parts.picked.insertBefore(like, grid)
    }
    fillWords()
    root.dataset.filled = performance.now().toFixed(1)
  }

  const setTool = (tool) => {
    kept.tool = tool
    for (const button of parts.bar.querySelectorAll("[data-tool]")) {
      button.setAttribute("aria-pressed", String(button.dataset.tool === tool))
    }
    kept.maps.forEach((map) => map.stage.classList.toggle("lasso", tool === "lasso"))
  }

  const listen = (map) => {
    const stage = map.stage
    const point = (event) => {
      const box = stage.getBoundingClientRect()
      return [(event.clientX - box.left) * map.density, (event.clientY - box.top) * map.density]
    }
    let drag = null
    stage.onpointerdown = (event) => {
      if (event.button) return
      stage.setPointerCapture(event.pointerId)
      const lasso = kept.tool === "lasso" || event.altKey
      drag = { from: point(event), last: point(event), lasso, moved: 0 }
      if (lasso) { kept.drawing = map; kept.path = [point(event)] }
      stage.classList.toggle("dragging", !lasso)
    }
    stage.onpointermove = (event) => {
      const [x, y] = point(event)
      if (!drag) {
        if (kept.looking) return
        kept.looking = requestAnimationFrame(() => {
          kept.looking = 0
          hover(map.nearest(x, y, NEAR * map.density), event)
        })
        return
      }
      drag.moved = Math.max(drag.moved, Math.hypot(x - drag.from[0], y - drag.from[1]))
      if (drag.lasso) {
        kept.path.push([x, y])
        marks()
      } else if (drag.moved > CLICK * map.density) {
        map.move(x - drag.last[0], y - drag.last[1])
        repaint(map)
      }
      drag.last = [x, y]
    }
    stage.onpointerup = (event) => {
      if (!drag) return
      const more = event.shiftKey || event.ctrlKey || event.metaKey
      const still = drag.moved <= CLICK * map.density
      if (still) {
        const i = map.nearest(...point(event), NEAR * map.density)
        if (i >= 0) pick([i], more ? "turn" : "only")
      } else if (drag.lasso) {
        pick(map.caught(kept.path), more ? "add" : "only")
      }
      finish()
    }
    const finish = () => {
      drag = null
      kept.drawing = null
      kept.path = null
      stage.classList.remove("dragging")
      marks()
    }
    stage.onpointercancel = finish
    stage.onpointerleave = () => { if (!drag) hover(-1, null) }
    stage.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && root.getRootNode().activeElement !== stage) return // the page scrolls over a map that is not in use
      event.preventDefault()
      map.zoom(Math.exp(-event.deltaY / 300), ...point(event))
      repaint(map)
    }, { passive: false })
    stage.onkeydown = (event) => keyed(map, event)
  }

  const keyed = (map, event) => {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }
    const step = steps[event.key]
    if (event.ctrlKey || event.metaKey || event.altKey) return
    if (step && event.shiftKey) map.move(-60 * step[0] * map.density, 60 * step[1] * map.density)
    else if (step) {
      const middle = map.nearest(map.canvas.width / 2, map.canvas.height / 2, Infinity)
      const next = kept.hovered < 0 ? middle : map.towards(kept.hovered, ...step)
      if (next >= 0) look(map, next)
    } else if (event.key === "+" || event.key === "=") map.zoom(1.4)
    else if (event.key === "-") map.zoom(1 / 1.4)
    else if (event.key === "0" || event.key === "Home") map.fit()
    else if ((event.key === "Enter" || event.key === " ") && kept.hovered >= 0) pick([kept.hovered], "turn")
    else if (event.key.toLowerCase() === "n" && kept.hovered >= 0) pick(map.around(kept.hovered, NEARBY), "add")
    else if (event.key === "Escape") pick([], "only")
    else return
    event.preventDefault()
    event.stopPropagation()
    repaint()
  }

  const look = (map, i) => {
    const [x, y] = map.place(i), width = map.canvas.width, height = map.canvas.height
    if (x < 0 || y < 0 || x > width || y > height) map.move(width / 2 - x, height / 2 - y)
    const box = map.stage.getBoundingClientRect()
    const [nx, ny] = map.place(i)
    hover(i, { clientX: box.left + nx / map.density, clientY: box.top + ny / map.density })
    say(`${className(i)}, ${isLabeled(i) ? "labeled" : "unlabeled"}, ${imageName(i)}${kept.points.picked[i] ? ", picked" : ""}`)
  }

  const drawLegend = (figure, spec) => {
    const legend = figure.querySelector(".legend")
    legend.replaceChildren()
    const entry = (color, name) => {
      const item = make("span")
      const swatch = make("i")
      swatch.style.background = color
      const text = make("bdi", "", name)
      item.append(swatch, text)
      return item
    }
    if (spec.ramp) {
      const ramp = make("span", "ramp")
      ramp.append(spec.names[0], ...spec.colors.map((color) => {
        const step = make("i")
        step.style.background = color
        return step
      }), spec.names[1])
      legend.append(ramp)
    } else if (spec.names.length <= kept.data.entries) {
      spec.names.forEach((name, number) => legend.append(entry(spec.colors[number], name)))
    }
    if (spec.gray) legend.append(entry(spec.grayColor, spec.gray))
  }

  const build = () => {
    kept.points = {
      rows: decode(kept.data.rows, Int32Array), flags: decode(kept.data.flags, Uint8Array), labels: decode(kept.data.labels, Int16Array),
    }
    kept.points.n = kept.points.rows.length
    kept.points.picked = new Uint8Array(kept.points.n)
    kept.points.count = 0
    kept.hovered = -1
    kept.current = -1
    parts.maps.className = `maps ${kept.data.maps.length > 1 ? "two" : ""}`
    parts.body.className = `body ${kept.data.maps.length > 1 ? "" : "one"}`
    const views = kept.maps.map((map) => [map.name, map.view])
    parts.maps.replaceChildren()
    kept.maps = kept.data.maps.map((spec, number) => {
      const figure = make("figure")
      const title = make("figcaption")
      const name = make("bdi", "", spec.title)
      title.append(name, make("span", "", spec.line))
      const stage = make("div", "stage")
      stage.tabIndex = 0
      stage.setAttribute("role", "application")
      stage.setAttribute("aria-roledescription", "map of images")
      stage.setAttribute("aria-label", spec.alt)
      stage.append(make("canvas", "points"), make("canvas", "over"))
      figure.append(title, stage, make("div", "legend"))
      parts.maps.append(figure)
      drawLegend(figure, spec)
      const map = new PointMap(figure, spec, kept.points)
      map.name = spec.place
      const before = views[number]
      if (before && before[0] === spec.place) map.view = before[1]
      listen(map)
      return map
    })
    setTool(kept.tool)
  }

  const adopt = (rows) => {
    const place = new Map()
    kept.points.rows.forEach((row, i) => place.set(row, i))
    kept.points.picked.fill(0)
    kept.points.count = 0
    for (const row of rows) {
      const i = place.get(row)
      if (i !== undefined && !kept.points.picked[i]) { kept.points.picked[i] = 1; kept.points.count++ }
    }
  }

  parts.bar.querySelectorAll("[data-tool]").forEach((button) => { button.onclick = () => setTool(button.dataset.tool) })
  parts.bar.querySelector(".closer").onclick = () => { kept.maps.forEach((map) => map.zoom(1.5)); repaint() }
  parts.bar.querySelector(".farther").onclick = () => { kept.maps.forEach((map) => map.zoom(1 / 1.5)); repaint() }
  parts.bar.querySelector(".whole").onclick = () => { kept.maps.forEach((map) => map.fit()); repaint() }
  parts.bar.querySelector(".clear").onclick = () => pick([], "only")

  if (kept.version !== kept.data.version) {
    const before = kept.points ? [...kept.points.rows].filter((_, i) => kept.points.picked[i]) : []
    kept.version = kept.data.version
    build()
    adopt(before)
    fillGrid()
  }
  if (kept.stamp !== kept.data.stamp) {
    kept.stamp = kept.data.stamp
    adopt(decode(kept.data.selected, Int32Array))
    fillGrid()
  }
  repaint()
  const observer = new ResizeObserver(() => repaint())
  kept.maps.forEach((map) => observer.observe(map.stage))
  const worded = (event) => { if (event.detail === kept.data.name) fillWords() }
  document.addEventListener("workbench-words", worded)
  return () => {
    document.removeEventListener("workbench-words", worded)
    observer.disconnect()
  }
}
