// One photo being corrected: its labels, its history, and what the buttons and keys do.

import { LARGEST, mediaUrl, stepSize } from "./geometry.mjs"
import { changeOp, History } from "./history.mjs"
import { Drawing, Outlining } from "./input.js"
import { boxOfRuns, CLEAN, HAND, LABEL, Labels, RUST, UNSURE } from "./labels.mjs"
import { Pieces } from "./pieces.mjs"
import { decodePng, encodeMask, toBase64 } from "./png.mjs"
import { newNonce } from "./saver.mjs"
import { Stage } from "./stage.js"
import { BrushStroke, closeOutline, PiecesStroke, SmartStroke, takePatch } from "./tools.js"
import { Work } from "./work.js"

const ANSWER = 45 // seconds to wait for a completion
const STROKES = { brush: BrushStroke, eraser: BrushStroke, scribble: BrushStroke, smart: SmartStroke }

// What the expert chose stays from photo to photo.
const settings = {
  tool: "brush", value: RUST, sizes: {}, tolerance: 26, opacity: 0.45, filled: true, under: "none",
}

export class App {
  constructor(root, data, send, refresh) {
    Object.assign(this, { root, send, settings, refresh })
    this.photo = { width: data.width, height: data.height }
    this.photoCase = data.case
    this.base = this.seenBase = data.base
    this.labels = new Labels(data.width, data.height)
    this.history = new History(this.labels)
    this.look = { opacity: settings.opacity, filled: settings.filled, marks: false, pieces: false, lit: -1 }
    this.stage = new Stage(root, this.photo, this.look)
    this.work = new Work(this)
    this.clock = this.work.clock
    this.pieces = null
    this.busy = true
    this.asked = null // {nonce} of the completion that is being waited for
    this.message = ""
    this.cursor = null // where the pointer is, on the stage
    this.byKeys = null // where the brush is that arrow keys move, in pixels
    this.usual = Math.max(3, Math.round(Math.max(data.width, data.height) / 45))
  }

  stop() {
    this.stopped = true
    this.stage.stop()
    this.work.stop()
    this.bitmap?.close()
  }

  // Opening: photo, mask and unsaved work; then the tools work.
  async open(data) {
    this.stage.image.src = mediaUrl(data.photo)
    this.stage.image.alt = data.name
    const pieces = data.pieces ? this.#loadPieces(data.pieces) : null
    await this.#loadMask(data.mask, RUST)
    if (data.ignore) await this.#loadMask(data.ignore, UNSURE)
    this.before = this.share
    const told = this.readonly ? "" : await this.work.restore()
    await this.stage.image.decode().catch(() => this.say("The photo cannot be shown."))
    await pieces
    if (this.stopped) return
    this.stage.labels = this.labels
    this.busy = false
    this.choose(settings.tool)
    this.stage.drawAll()
    if (told) this.say(told)
    this.refresh()
  }

  async #loadMask(url, label) {
    const { labels, photo } = this
    const bits = (y, row) => {
      for (let x = 0; x < photo.width; ) {
        if (!row[x >> 3] && (x & 7) === 0) {
          x += 8
          continue
        }
        if ((row[x >> 3] >> (7 - (x & 7))) & 1) {
          labels.counts[labels.plane[y * photo.width + x]]--
          labels.counts[label]++
          labels.plane[y * photo.width + x] = label
        }
        x++
      }
    }
    await decodePng(await bytesOf(url), bits)
  }

  async #loadPieces({ url, width, height }) {
    const map = new Uint16Array(width * height)
    await decodePng(await bytesOf(url), (y, row) => {
      for (let x = 0; x < width; x++) map[y * width + x] = (row[2 * x] << 8) | row[2 * x + 1]
    })
    this.pieces = this.stage.pieces = new Pieces(map, width, height, this.photo)
  }

  // Rusted share of what can be told, in [0, 1].
  get share() {
    const [clean, rust] = this.labels.counts
    return clean + rust ? rust / (clean + rust) : 0
  }

  get unsure() {
    return this.labels.counts[UNSURE] / (this.photo.width * this.photo.height)
  }

  get size() {
    return settings.sizes[this.#sizeName] ?? (this.#sizeName === "scribble" ? Math.ceil(this.usual / 4) : this.usual)
  }

  set size(pixels) {
    settings.sizes[this.#sizeName] = Math.min(LARGEST, Math.max(1, Math.round(pixels)))
    this.point(this.cursor)
    this.refresh()
  }

  get full() {
    return this.root.matches(":fullscreen")
  }

  get #sizeName() {
    return settings.tool === "scribble" ? "scribble" : "paint"
  }

  get value() {
    if (settings.tool === "eraser") return CLEAN
    if (settings.tool === "scribble" && settings.value === UNSURE) return RUST
    return settings.value
  }

  say(text, boxes = []) {
    this.message = text
    this.stage.warnings = boxes
    this.stage.drawPath()
    clearTimeout(this.silence)
    if (text) this.silence = setTimeout(() => this.say(""), boxes.length ? 15000 : 5000)
    this.refresh()
  }

  // Choosing

  choose(tool) {
    if (tool === "superpixel" && !this.pieces) return this.say("There are no pieces for this photo.")
    if (tool !== "outline") this.dropOutline()
    if (tool === "brush" && settings.value === CLEAN && settings.tool === "eraser") settings.value = RUST
    settings.tool = tool
    this.look.marks = tool === "scribble"
    this.look.pieces = tool === "superpixel"
    this.look.lit = -1
    if (tool === "smart") this.#needPixels()
    this.stage.drawAll()
    this.point(this.cursor)
    this.refresh()
  }

  paintAs(value) {
    if (settings.tool === "eraser" && value !== CLEAN) settings.tool = "brush"
    settings.value = value
    this.point(this.cursor)
    this.refresh()
  }

  setLook(change) {
    Object.assign(this.look, change)
    settings.opacity = this.look.opacity
    settings.filled = this.look.filled
    this.stage.drawAll()
    this.refresh()
  }

  hide(hidden) {
    this.root.classList.toggle("hidden", hidden)
  }

  // The smart brush needs the photo's pixels; decoded once, apart from the page's own picture.
  async #needPixels() {
    if (this.bitmap || this.fetching) return
    this.fetching = true
    const file = await fetch(this.stage.image.src)
    this.bitmap = await createImageBitmap(await file.blob()).catch(() => null)
    this.fetching = false
  }

  pixels(left, top, width, height) {
    this.scratch ??= document.createElement("canvas").getContext("2d", { willReadFrequently: true })
    const { canvas } = this.scratch
    if (canvas.width < width) canvas.width = width
    if (canvas.height < height) canvas.height = height
    this.scratch.drawImage(this.bitmap, left, top, width, height, 0, 0, width, height)
    return this.scratch.getImageData(0, 0, width, height).data
  }

  // Drawing

  begin(x, y, { invert, line }) {
    if (this.busy || this.readonly) return null
    this.say("")
    const { tool } = settings
    const flipped = { [CLEAN]: RUST, [RUST]: CLEAN, [UNSURE]: CLEAN }[this.value]
    const value = invert ? flipped : this.value
    const [px, py] = this.stage.pixel(x, y)
    if (tool === "outline") {
      this.outlineValue = value
      return new Outlining(this, x, y)
    }
    const inside = px >= 0 && py >= 0 && px < this.photo.width && py < this.photo.height
    if (tool === "patch") {
      if (inside) this.#whileBusy(() => takePatch(this, px, py, value))
      return null
    }
    if (tool === "superpixel") {
      return inside ? new Drawing(this, new PiecesStroke(this, px, py, value)) : null
    }
    if (tool === "smart" && !this.bitmap) {
      this.#needPixels()
      this.say("The smart brush is being made ready; try again in a moment.")
      return null
    }
    const from = line && tool !== "smart" ? this.lastPoint : null
    return new Drawing(this, new STROKES[tool](this, px, py, value, from))
  }

  // A stroke is finished: it can be undone, is kept in this browser, and counts.
  commit(op, runs) {
    if (runs.length) this.work.done(this.history.push(op, runs))
    this.refresh()
  }

  closeOutline() {
    const points = this.stage.outline
    this.dropOutline()
    if (points.length >= 6) closeOutline(this, points, this.outlineValue)
  }

  dropOutline() {
    this.stage.outline = []
    this.stage.drawPath()
  }

  // Until nothing is under way: no stroke, no filling, no completing.
  async idle() {
    while (this.busy || this.input?.stroke) await new Promise((resolve) => setTimeout(resolve, 30))
  }

  async #whileBusy(work) {
    this.busy = true
    this.stage.element.classList.add("busy")
    try {
      await work()
    } finally {
      this.busy = false
      this.stage.element.classList.remove("busy")
      this.refresh()
    }
  }

  undo() {
    this.#step(() => this.history.undo())
  }

  redo() {
    this.#step(() => this.history.redo())
  }

  #step(take) {
    if (this.busy || this.input?.stroke) return
    if (this.stage.outline.length) return this.dropOutline()
    const step = take()
    if (!step) return
    this.stage.draw(boxOfRuns(step.runs, this.photo.width))
    this.work.moved()
    this.refresh()
  }

  discard() {
    while (this.history.undo());
    this.stage.drawAll()
    this.work.moved()
    this.refresh()
  }

  // Completing: Python is asked once, with everything that was set by hand.

  complete() {
    if (this.busy || this.asked || this.readonly) return
    const { width, height } = this.photo
    const encode = (label) => encodeMask(this.labels.plane, width, height, label | HAND, LABEL | HAND)
    this.#whileBusy(async () => {
      const nonce = newNonce()
      const [rust, clean] = [await encode(RUST), await encode(CLEAN)]
      const mask = await encodeMask(this.labels.plane, width, height, RUST, LABEL)
      if (!this.labels.plane.some((byte) => byte === (RUST | HAND) || byte === (CLEAN | HAND))) {
        return this.say("First mark a little rust, or what is clean; then the rest is completed.")
      }
      this.asked = { nonce }
      this.send("ask", {
        nonce, case: this.photoCase, width, height, kind: "crf",
        mask: toBase64(mask.png), rust: toBase64(rust.png), clean: toBase64(clean.png),
      })
      this.patience = setTimeout(() => {
        this.asked = null
        this.say("No answer came; try again.")
      }, ANSWER * 1000)
    })
  }

  async suggest({ nonce, mask, words, boxes }) {
    if (this.asked?.nonce !== nonce || this.asked.taken) return
    this.asked.taken = true
    clearTimeout(this.patience)
    await this.idle()
    await this.#whileBusy(async () => {
      const runs = []
      try {
        await decodePng(await bytesOf(mask), (y, row) => this.labels.completeRow(y, row, runs))
      } catch {
        this.labels.toggle(runs)
        this.asked = null
        return this.say("The completion did not arrive; try again.")
      }
      this.asked = null
      this.stage.drawAll()
      this.commit(changeOp("crf", runs), runs)
      this.say(words, boxes)
    })
  }

  // Pointing

  point(at) {
    this.cursor = at
    const { stage } = this
    const { tool } = settings
    const round = ["brush", "eraser", "smart", "scribble"].includes(tool) && !this.readonly
    stage.element.classList.toggle("cross", !round && !this.readonly)
    stage.element.classList.toggle("pan", Boolean(this.readonly || this.input?.space))
    if (!at || !round) stage.ring.hidden = true
    else stage.showRing(...stage.pixel(...at), this.size, this.value)
    if (tool === "superpixel") this.#light(at)
  }

  #light(at) {
    const [x, y] = at ? this.stage.pixel(...at) : [-1, -1]
    const inside = x >= 0 && y >= 0 && x < this.photo.width && y < this.photo.height
    const lit = inside && this.pieces ? this.pieces.at(x, y) : -1
    if (lit === this.look.lit) return
    for (const id of [lit, this.look.lit]) if (id >= 0) this.stage.draw(this.pieces.box(id))
    this.look.lit = lit
  }

  wheelHint() {
    if (settings.hinted) return
    settings.hinted = true
    this.say("Hold Ctrl and turn the wheel to zoom.")
  }

  // Arrow keys move the brush; Enter presses it.
  #walk(dx, dy, fast) {
    const { stage, photo } = this
    const start = this.byKeys ?? (this.cursor ? stage.pixel(...this.cursor) : [photo.width >> 1, photo.height >> 1])
    const step = Math.max(1, Math.round(this.size / (fast ? 1 : 4)))
    const inside = (at, most) => Math.min(most - 1, Math.max(0, at))
    this.byKeys = [inside(start[0] + dx * step, photo.width), inside(start[1] + dy * step, photo.height)]
    this.point(this.#onStage(this.byKeys))
  }

  #onStage([px, py]) {
    const { scale, x, y } = this.stage.view
    return [(px + 0.5) * scale + x, (py + 0.5) * scale + y]
  }

  #press(how) {
    const at = this.#onStage(this.byKeys)
    const gesture = this.begin(...at, how)
    gesture?.end(...at)
  }

  // Returns whether the key means something here.
  key(event) {
    const { key } = event
    const small = key.toLowerCase()
    if (event.ctrlKey || event.metaKey) {
      if (small === "z") event.shiftKey ? this.redo() : this.undo()
      else if (small === "y") this.redo()
      else if (small === "s") this.bar.press("save")
      else return false
      return true
    }
    if (event.altKey && !key.startsWith("Arrow")) return false
    const tool = { b: "brush", e: "eraser", s: "smart", o: "outline", f: "patch", p: "superpixel", c: "scribble" }[small]
    if (tool && !this.readonly) return this.choose(tool), true
    const act = {
      1: () => this.paintAs(RUST), 2: () => this.paintAs(CLEAN), 3: () => this.paintAs(UNSURE),
      x: () => this.paintAs(this.value === RUST ? CLEAN : RUST),
      "[": () => (this.size = stepSize(this.size, false)), "]": () => (this.size = stepSize(this.size, true)),
      ";": () => this.bar.nudge("tolerance", -2), "'": () => this.bar.nudge("tolerance", 2),
      ",": () => this.bar.nudge("opacity", -10), ".": () => this.bar.nudge("opacity", 10),
      "+": () => this.stage.zoom(1.4), "=": () => this.stage.zoom(1.4), "-": () => this.stage.zoom(1 / 1.4),
      0: () => this.stage.fit(), 9: () => this.bar.press("one"),
      h: () => this.hide(true), v: () => this.bar.press("style"), u: () => this.bar.nextUnder(),
      z: () => this.bar.press("full"), "?": () => this.bar.press("help"),
      arrowleft: () => this.#walk(-1, 0, event.shiftKey), arrowright: () => this.#walk(1, 0, event.shiftKey),
      arrowup: () => this.#walk(0, -1, event.shiftKey), arrowdown: () => this.#walk(0, 1, event.shiftKey),
      enter: () => this.#enter(event), escape: () => this.dropOutline(),
      backspace: () => this.stage.outline.length && (this.stage.outline.splice(-2), this.stage.drawPath()),
    }[small]
    if (!act) return false
    act()
    return true
  }

  #enter(event) {
    if (this.byKeys) this.#press({ invert: event.altKey, line: event.shiftKey })
    else if (this.stage.outline.length) this.closeOutline()
    else if (settings.tool === "scribble") this.complete()
  }
}

async function bytesOf(url) {
  const reply = await fetch(mediaUrl(url))
  if (!reply.ok) throw new Error(`${url} answered ${reply.status}`)
  return new Uint8Array(await reply.arrayBuffer())
}
