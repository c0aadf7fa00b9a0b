// Press, drag and release of each tool, in photo pixels.

import { grow } from "./grow.mjs"
import { outlineOp, paintOp, patchOp, pixelsOp } from "./history.mjs"
import { boxOfRuns, CLEAN, HAND, LABEL, RUST } from "./labels.mjs"
import { breather } from "./bits.mjs"
import { capsule, flood, polygon } from "./raster.mjs"

const around = (x, y, d) => [x - d, y - d, x + d + 1, y + d + 1]

// Brush, eraser and scribble.
export class BrushStroke {
  constructor(app, x, y, value, from) {
    Object.assign(this, { app, value, d: app.size, scribble: app.settings.tool === "scribble" })
    this.pen = app.labels.pen(value | HAND)
    this.points = from ? [...from] : [x, y]
    this.#segment(from ?? [x, y], [x, y])
    if (from) this.points.push(x, y)
  }

  move(x, y) {
    const last = this.points.slice(-2)
    if (last[0] === x && last[1] === y) return
    this.points.push(x, y)
    this.#segment(last, [x, y])
  }

  #segment([ax, ay], [bx, by]) {
    const { width, height } = this.app.photo
    capsule(ax, ay, bx, by, this.d, width, height, this.pen.span)
    this.app.stage.draw(around(Math.min(ax, bx), Math.min(ay, by), this.d))
    this.app.stage.draw(around(Math.max(ax, bx), Math.max(ay, by), this.d))
  }

  end() {
    const op = paintOp(this.value, this.d, this.points)
    if (this.scribble) op.tool = "scribble"
    this.app.commit(op, this.pen.runs)
    this.app.lastPoint = this.points.slice(-2)
  }

  cancel() {
    this.app.labels.toggle(this.pen.runs)
    this.app.stage.drawAll()
  }
}

// Stops where the colour changes. Analyses a window of the photo around each dab.
export class SmartStroke {
  constructor(app, x, y, value) {
    Object.assign(this, { app, value, d: app.size, at: [x, y] })
    this.pen = app.labels.pen(value | HAND)
    this.#dab(x, y)
  }

  move(x, y) {
    const step = Math.max(1, this.d / 6)
    const [fromX, fromY] = this.at
    const far = Math.hypot(x - fromX, y - fromY)
    for (let done = step; done <= far; done += step) {
      this.at = [
        Math.round(fromX + ((x - fromX) * done) / far), Math.round(fromY + ((y - fromY) * done) / far),
      ]
      this.#dab(...this.at)
    }
  }

  #dab(x, y) {
    const { width, height } = this.app.photo
    if (x < 0 || y < 0 || x >= width || y >= height) return
    const reach = (this.d >> 1) + 3
    const [left, top] = [Math.max(0, x - reach), Math.max(0, y - reach)]
    const [w, h] = [Math.min(width, x + reach + 1) - left, Math.min(height, y + reach + 1) - top]
    const pixels = this.app.colours.window(left, top, w, h)
    grow(pixels, w, h, x - left, y - top, this.d, this.app.settings.tolerance, (row, from, to) => {
      this.pen.span(row + top, from + left, to + left)
    })
    this.app.stage.draw(around(x, y, this.d))
  }

  end() {
    this.app.commit(pixelsOp("smart", this.value, this.pen.runs), this.pen.runs)
  }

  cancel() {
    this.app.labels.toggle(this.pen.runs)
    this.app.stage.drawAll()
  }
}

// Superpixels: one on a press, more while dragging. A press on one that has the value removes it.
export class PiecesStroke {
  constructor(app, x, y, value) {
    this.app = app
    this.done = new Set()
    const id = app.pieces.at(x, y)
    this.value = value !== CLEAN && this.#mostly(id, value) ? CLEAN : value
    this.pen = app.labels.pen(this.value | HAND)
    this.move(x, y)
  }

  #mostly(id, value) {
    const { plane, width } = this.app.labels
    let [own, all] = [0, 0]
    this.app.pieces.cover(id, (y, from, to) => {
      for (let i = y * width + from; i < y * width + to; i++) own += (plane[i] & LABEL) === value
      all += to - from
    })
    return own > all / 2
  }

  move(x, y) {
    const { width, height } = this.app.photo
    if (x < 0 || y < 0 || x >= width || y >= height) return
    const id = this.app.pieces.at(x, y)
    if (this.done.has(id)) return
    this.done.add(id)
    this.app.pieces.cover(id, this.pen.span)
    this.app.stage.draw(this.app.pieces.box(id))
  }

  end() {
    this.app.commit(pixelsOp("superpixel", this.value, this.pen.runs), this.pen.runs)
  }

  cancel() {
    this.app.labels.toggle(this.pen.runs)
    this.app.stage.drawAll()
  }
}

export function closeOutline(app, points, value) {
  const { width, height } = app.photo
  const pen = app.labels.pen(value | HAND)
  polygon(points, width, height, pen.span)
  app.stage.draw(boxOfRuns(pen.runs, width))
  app.commit(outlineOp(value, points), pen.runs)
}

// Fill a hole or remove a patch; an area that already has the value becomes clean.
export async function takePatch(app, x, y, wanted) {
  const { plane, width, height } = app.labels
  const own = plane[y * width + x] & LABEL
  const value = own === wanted ? CLEAN : wanted
  if (own === value) return
  const pen = app.labels.pen(value | HAND)
  const inside = (i) => (plane[i] & LABEL) === own
  const breathe = breather()
  for (const _ of flood(x, y, own === RUST, inside, width, height, pen.span)) await breathe()
  app.stage.draw(boxOfRuns(pen.runs, width))
  app.commit(patchOp(value, x, y), pen.runs)
}
