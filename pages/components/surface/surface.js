// An outline on a photo: drag a box, tap the corners of a polygon, move corners. Corners are [x, y],
// shares of the photo's width and height. Only finished outlines are sent to Python.

const UNITS = 10000 // as rustseg_jax.report.surface writes corners
const MOST = 64
const NEAR = 16 // pixels: a tap this close to the first corner closes the outline
const SLACK = 8 // pixels: a shorter movement is a tap
const STEP = 0.01 // share of the photo per arrow key; with Shift a tenth of it
const QUIET = 500 // milliseconds after the last key until the outline is sent

const marks = new WeakMap() // stage -> Marker

export default function (component) {
  const { data, parentElement } = component
  const stage = parentElement.querySelector(".stage")
  let marker = marks.get(stage)
  if (!marker) marks.set(stage, (marker = new Marker(parentElement, stage)))
  marker.tell = (text) => component.setTriggerValue("marked", text)
  marker.show(data)
}

// Media addresses are relative to the page, also if the app is served under a path.
function place(url) {
  return url.startsWith("/") ? new URL(url.slice(1), document.baseURI).href : url
}

function read(text) {
  const numbers = text ? text.split(".").map((word) => Number(word) / UNITS) : []
  if (numbers.length === 4) {
    const [left, top, right, bottom] = numbers
    return box([left, top], [right, bottom])
  }
  return numbers.flatMap((x, i) => (i % 2 ? [] : [[x, numbers[i + 1]]]))
}

function write(corners) {
  const [a, b, c, d] = corners
  const isBox =
    corners.length === 4 && a[1] === b[1] && b[0] === c[0] && c[1] === d[1] && d[0] === a[0]
  return (isBox ? [a, c] : corners).flat().map((share) => Math.round(share * UNITS)).join(".")
}

const box = ([left, top], [right, bottom]) => [
  [left, top], [right, top], [right, bottom], [left, bottom],
]

const within = (share) => Math.min(1, Math.max(0, share))

class Marker {
  constructor(root, stage) {
    this.root = root
    this.stage = stage
    this.tool = "box"
    this.corners = []
    this.open = false // a polygon that is not closed yet
    this.said = "" // the outline last exchanged with Python
    this.pressed = null // the active pointer
    this.timer = 0
    for (const button of root.querySelectorAll("[data-tool]"))
      button.onclick = (event) => this.choose(button.dataset.tool, event.detail === 0)
    this.button("close").onclick = () => this.close()
    this.button("clear").onclick = () => this.clear()
    stage.onpointerdown = (event) => this.down(event)
    stage.onpointermove = (event) => this.move(event)
    stage.onpointerup = (event) => this.up(event)
    stage.onpointercancel = stage.onlostpointercapture = (event) => {
      if (event.pointerId === this.pressed?.id) this.drop()
    }
    stage.onkeydown = (event) => this.key(event)
  }

  button(act) {
    return this.root.querySelector(`[data-act=${act}]`)
  }

  show(data) {
    const image = this.stage.querySelector("img")
    const url = place(data.url)
    if (image.src !== url) image.src = url
    image.alt = data.alt
    this.stage.style.setProperty("--ratio", data.width / data.height)
    if (data.marked !== this.said) {
      // A link, Back or a reset on the page replaces the outline.
      clearTimeout(this.timer)
      this.said = data.marked
      this.corners = read(data.marked)
      this.open = false
      this.pressed = null
    }
    this.draw()
  }

  // Send a finished outline to Python, once.
  finish(later = 0) {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      const text = this.open ? this.said : write(this.corners)
      if (text === this.said) return
      this.said = text
      this.tell(text)
    }, later)
  }

  choose(tool, byKey) {
    this.tool = tool
    if (this.open) {
      this.corners = read(this.said)
      this.open = false
    }
    // Keys cannot drag: start with an outline whose corners they can move.
    if (byKey && !this.corners.length) {
      this.corners = box([0.25, 0.25], [0.75, 0.75])
      this.finish()
    }
    this.draw()
    if (byKey) this.stage.querySelector(".corner")?.focus()
  }

  clear() {
    this.corners = []
    this.open = false
    this.finish()
    this.draw()
    this.root.querySelector("[data-tool]").focus()
  }

  close() {
    this.open = false
    this.finish()
    this.draw()
  }

  at(event) {
    const frame = this.stage.getBoundingClientRect()
    return [
      within((event.clientX - frame.left) / frame.width),
      within((event.clientY - frame.top) / frame.height),
    ]
  }

  // Distance of two corners in screen pixels.
  apart(a, b) {
    const frame = this.stage.getBoundingClientRect()
    return Math.hypot((a[0] - b[0]) * frame.width, (a[1] - b[1]) * frame.height)
  }

  down(event) {
    if (this.pressed || event.button !== 0) return
    const start = this.at(event)
    const hit = event.target.closest?.(".corner")
    this.pressed = { id: event.pointerId, start, before: this.corners, moved: false, corner: -1 }
    if (hit && !this.open) {
      if (hit.dataset.after !== undefined) this.insert(Number(hit.dataset.after))
      this.pressed.corner =
        hit.dataset.after === undefined ? Number(hit.dataset.at) : Number(hit.dataset.after) + 1
    }
    this.stage.setPointerCapture(event.pointerId)
  }

  move(event) {
    const here = this.at(event)
    if (event.pointerId !== this.pressed?.id) return
    const { start, corner } = this.pressed
    this.pressed.moved ||= this.apart(start, here) > SLACK
    if (corner >= 0) this.drag(corner, here)
    else if (this.pressed.moved && this.tool === "box") this.corners = box(...ordered(start, here))
    this.draw()
  }

  up(event) {
    if (event.pointerId !== this.pressed?.id) return
    const { moved, corner, before } = this.pressed
    this.pressed = null
    if (corner >= 0) {
      this.finish()
      this.draw()
      this.stage.querySelector(`.corner[data-at="${corner}"]`)?.focus({ preventScroll: true })
      return
    }
    if (this.tool === "box" && moved) {
      const [a, b, c] = this.corners
      if (this.apart(a, b) < SLACK || this.apart(b, c) < SLACK) this.corners = before // a line
      this.finish()
    } else if (this.tool === "polygon") this.tap(this.at(event))
    this.draw()
  }

  // The browser took the pointer (pinch zoom): restore the outline before it.
  drop() {
    this.corners = this.pressed.before
    this.pressed = null
    this.draw()
  }

  tap(here) {
    if (!this.open) {
      this.corners = [here]
      this.open = true
    } else if (this.corners.length > 2 && this.apart(here, this.corners[0]) < NEAR) this.close()
    else if (this.apart(here, this.corners.at(-1)) > 2) this.corners = [...this.corners, here]
    if (this.corners.length === MOST) this.close()
  }

  // With the box tool a box stays a box: the opposite corner does not move.
  drag(index, here) {
    const [a, , c] = this.corners
    const [x, y] = here
    if (this.tool === "box" && this.boxed())
      this.corners = [
        () => box(here, c), () => box([a[0], y], [x, c[1]]),
        () => box(a, here), () => box([x, a[1]], [c[0], y]),
      ][index]()
    else this.corners = this.corners.with(index, here)
  }

  boxed() {
    return write(this.corners).split(".").length === 4
  }

  insert(after) {
    const next = this.corners[(after + 1) % this.corners.length]
    const middle = this.corners[after].map((share, axis) => (share + next[axis]) / 2)
    this.corners = this.corners.toSpliced(after + 1, 0, middle)
  }

  key(event) {
    const corner = event.target.closest?.(".corner")
    const step = event.shiftKey ? STEP / 10 : STEP
    const [x, y] = {
      ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step],
    }[event.key] ?? [0, 0]
    const at = Number(corner?.dataset.at)
    if (event.key === "Escape" && this.open) {
      this.corners = read(this.said)
      this.open = false
    } else if (event.key === "Enter" && this.open && this.corners.length > 2) this.close()
    else if (corner?.dataset.after !== undefined) {
      if (event.key !== "Enter" && event.key !== " ") return
      const made = Number(corner.dataset.after) + 1
      this.insert(made - 1)
      this.finish(QUIET)
      event.preventDefault()
      this.draw()
      this.stage.querySelector(`.corner[data-at="${made}"]`).focus()
      return
    } else if (!corner) return
    else if (x || y) {
      this.drag(at, this.corners[at].map((share, axis) => within(share + [x, y][axis])))
      this.finish(QUIET)
    } else if (event.key === "Delete" || event.key === "Backspace") {
      if (this.corners.length < 4) return
      this.corners = this.corners.toSpliced(at, 1)
      this.finish(QUIET)
    } else return
    event.preventDefault()
    this.draw()
    this.stage.querySelector(`.corner[data-at="${Math.min(at, this.corners.length - 1)}"]`)?.focus()
  }

  draw() {
    const line = this.corners.map((corner) => corner.join(" ")).join(" L ")
    const shape = line && `M ${line}${this.open ? "" : " Z"}`
    const set = (name, d) => this.stage.querySelector(name).setAttribute("d", d)
    set(".outside", shape && !this.open ? `M 0 0 H 1 V 1 H 0 Z ${shape}` : "")
    set(".edge.dark", shape)
    set(".edge.light", shape)
    this.stage.classList.toggle("open", this.open)
    this.handles()
    this.button("close").hidden = !(this.open && this.corners.length > 2)
    this.button("clear").hidden = !this.corners.length
    for (const button of this.root.querySelectorAll("[data-tool]"))
      button.setAttribute("aria-pressed", String(button.dataset.tool === this.tool))
    const hint = this.root.querySelector(".hint")
    const words = this.words()
    if (hint.textContent !== words) hint.textContent = words
  }

  words() {
    if (this.open)
      return this.corners.length > 2
        ? "Tap the first corner to close the outline, or press Escape to cancel."
        : "Tap the next corner."
    if (this.corners.length && this.tool === "box" && this.boxed())
      return "Drag a corner to move it, or drag a new box. Keyboard: Tab selects a corner, arrow keys move it."
    if (this.corners.length)
      return "Drag a corner to move it, or a small dot to add one. Keyboard: Tab selects a corner, arrow keys move it, Delete removes it."
    return this.tool === "box"
      ? "Drag a box around the steel. Keyboard: press Enter on Box."
      : "Tap the corners of the steel, one by one. Keyboard: press Enter on Polygon."
  }

  // One button per corner, reused while it is dragged or has the focus.
  handles() {
    const holder = this.stage.querySelector(".corners")
    const count = this.corners.length
    const extra = this.open || count >= MOST || (this.tool === "box" && this.boxed()) ? 0 : count
    while (holder.children.length > count + extra) holder.lastChild.remove()
    while (holder.children.length < count + extra) {
      const made = document.createElement("button")
      made.type = "button"
      holder.append(made)
    }
    this.corners.forEach((corner, i) => {
      dress(holder.children[i], corner, `Corner ${i + 1} of ${count}`)
      holder.children[i].className = this.open && i === 0 ? "corner first" : "corner"
      holder.children[i].dataset.at = i
      delete holder.children[i].dataset.after
    })
    for (let i = 0; i < extra; i++) {
      const next = this.corners[(i + 1) % count]
      const middle = this.corners[i].map((share, axis) => (share + next[axis]) / 2)
      const handle = holder.children[count + i]
      dress(handle, middle, `Add a corner after corner ${i + 1}`)
      handle.className = "corner between"
      handle.dataset.after = i
      delete handle.dataset.at
    }
  }
}

function dress(handle, [x, y], name) {
  handle.style.left = `${100 * x}%`
  handle.style.top = `${100 * y}%`
  const percent = (share) => Math.round(100 * share)
  handle.setAttribute("aria-label", `${name}: ${percent(x)} % from the left, ${percent(y)} % from the top`)
}

function ordered([ax, ay], [bx, by]) {
  return [
    [Math.min(ax, bx), Math.min(ay, by)],
    [Math.max(ax, bx), Math.max(ay, by)],
  ]
}
