// The correction of one photo: its labels, its history, and the actions of buttons and keys.

import { Completion } from "./complete.js"
import { LARGEST } from "./geometry.mjs"
import { History } from "./history.mjs"
import { Drawing, Outlining } from "./input.js"
import { Keys } from "./keys.js"
import { boxOfRuns, CLEAN, Labels, RUST, UNSURE } from "./labels.mjs"
import { bytesOf, Colours, loadMask, loadPieces, showPhoto } from "./load.js"
import { Stage } from "./stage.js"
import { BrushStroke, closeOutline, PiecesStroke, SmartStroke, takePatch } from "./tools.js"
import { Work } from "./work.js"

const STROKES = { brush: BrushStroke, eraser: BrushStroke, scribble: BrushStroke, smart: SmartStroke }

// The expert's settings persist from photo to photo.
const settings = {
  tool: "brush", value: RUST, sizes: {}, tolerance: 26, opacity: 0.45, filled: true, under: "none",
}

export class App {
  // `earlier` is {base, files}: continue from this mask instead of the server's; otherwise null.
  constructor(root, data, { send, refresh, turnTo, earlier }) {
    Object.assign(this, { root, send, settings, refresh, turnTo, earlier })
    this.photo = { width: data.width, height: data.height }
    this.photoCase = data.case
    this.base = earlier?.base ?? data.base
    this.files = earlier?.files ?? null // {mask, ignore}: packed masks at the start of the history
    this.labels = new Labels(data.width, data.height)
    this.history = new History(this.labels)
    this.look = { opacity: settings.opacity, filled: settings.filled, marks: false, pieces: false, lit: -1 }
    this.stage = new Stage(root, this.photo, this.look)
    this.work = new Work(this)
    this.keys = new Keys(this)
    this.colours = new Colours(this.stage.image)
    this.completion = new Completion(this)
    this.clock = this.work.clock
    this.pieces = null
    this.busy = true
    this.failed = false // could not be opened
    this.message = ""
    this.cursor = null // pointer position on the stage
    this.usual = Math.max(3, Math.round(Math.max(data.width, data.height) / 45))
  }

  stop() {
    this.stopped = true
    this.stage.stop()
    this.work.stop()
    this.colours.stop()
  }

  // Open photo, mask and unsaved changes; then enable the tools.
  async open(data) {
    const photo = showPhoto(this.stage.image, data).catch(() => this.say("The photo cannot be loaded."))
    const pieces = data.pieces && this.#takePieces(data.pieces).catch(() => {}) // then without
    this.files ??= { mask: await bytesOf(data.mask), ignore: data.ignore && (await bytesOf(data.ignore)) }
    await loadMask(this.files.mask, RUST, this.labels)
    if (this.files.ignore) await loadMask(this.files.ignore, UNSURE, this.labels)
    this.before = this.share
    const told = this.readonly ? "" : await this.work.restore()
    await photo
    await pieces
    if (this.stopped) return
    this.stage.labels = this.labels
    this.busy = false
    this.choose(settings.tool)
    this.stage.drawAll()
    if (told) this.say(told)
    this.refresh()
    if (!this.readonly) await this.work.look()
  }

  async #takePieces(pieces) {
    this.pieces = this.stage.pieces = await loadPieces(pieces, this.photo)
  }

  // Rusted share of the pixels that are rust or clean, in [0, 1].
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
    if (tool === "superpixel" && !this.pieces) return this.say("Superpixels are not available for this photo.")
    if (tool !== "outline") this.dropOutline()
    if (tool === "brush" && settings.value === CLEAN && settings.tool === "eraser") settings.value = RUST
    settings.tool = tool
    this.look.marks = tool === "scribble"
    this.look.pieces = tool === "superpixel"
    this.look.lit = -1
    if (tool === "smart") this.colours.need()
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
      if (inside) this.whileBusy(() => takePatch(this, px, py, value))
      return null
    }
    if (tool === "superpixel") {
      return inside ? new Drawing(this, new PiecesStroke(this, px, py, value)) : null
    }
    if (tool === "smart" && !this.colours.ready) {
      this.colours.need()
      this.say("The smart brush is loading; try again in a moment.")
      return null
    }
    const from = line && tool !== "smart" ? this.lastPoint : null
    return new Drawing(this, new STROKES[tool](this, px, py, value, from))
  }

  // A stroke is finished: add it to the history and store it in this browser.
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

  // Wait until no stroke, fill or completion is in progress.
  async idle() {
    while (this.busy || this.input?.stroke) await new Promise((resolve) => setTimeout(resolve, 30))
  }

  async whileBusy(work) {
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
    this.say("Hold Ctrl and scroll to zoom.")
  }
}
