// The photo on the screen, its layers and the view (zoom and position).

import { cornerAt, fit, hold, pixelAt, zoomAt } from "./geometry.mjs"
import { sample, shade, shadePieces } from "./shade.mjs"

export class Stage {
  constructor(root, photo, look) {
    this.root = root
    this.element = root.querySelector(".stage")
    this.canvas = root.querySelector(".labels")
    this.context = this.canvas.getContext("2d")
    this.image = root.querySelector(".photo")
    this.under = root.querySelector(".under")
    this.ring = root.querySelector(".ring")
    this.lines = root.querySelectorAll(".path polyline")
    this.dot = root.querySelector(".path circle")
    this.boxes = root.querySelector(".path g")
    this.photo = photo // {width, height}
    this.look = look // {opacity, filled, marks, pieces: show superpixels, lit: the one under the pointer}
    this.labels = null
    this.pieces = null
    this.outline = [] // corners, x and y alternating
    this.warnings = [] // boxes in the photo
    this.dirty = null
    this.frame = 0
    this.fitted = true
    this.size = { width: 1, height: 1 }
    this.view = { scale: 1, x: 0, y: 0 }
    this.element.style.aspectRatio = `${photo.width} / ${photo.height}`
    for (const image of [this.image, this.under]) {
      image.style.width = `${photo.width}px`
      image.style.height = `${photo.height}px`
    }
    this.observer = new ResizeObserver(() => this.measure())
    this.observer.observe(this.element)
    this.measure()
  }

  stop() {
    this.observer.disconnect()
    cancelAnimationFrame(this.frame)
  }

  measure() {
    const { clientWidth: width, clientHeight: height } = this.element
    if (!width || !height) return
    this.size = { width, height }
    this.density = Math.min(window.devicePixelRatio || 1, 2)
    this.canvas.width = Math.round(width * this.density)
    this.canvas.height = Math.round(height * this.density)
    this.show(this.fitted ? fit(this.photo, this.size) : hold(this.view, this.photo, this.size))
  }

  show(view) {
    this.view = view
    const move = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`
    this.image.style.transform = this.under.style.transform = move
    this.image.classList.toggle("pixels", view.scale > 2)
    this.root.querySelector(".percent").textContent = `${percentOf(view.scale * this.density)} %`
    this.drawAll()
    this.drawPath()
    this.moved?.()
  }

  fit() {
    this.fitted = true
    this.show(fit(this.photo, this.size))
  }

  zoom(factor, x = this.size.width / 2, y = this.size.height / 2) {
    this.fitted = false
    this.show(zoomAt(this.view, factor, x, y, this.photo, this.size))
  }

  pan(dx, dy) {
    this.fitted = false
    const { scale, x, y } = this.view
    this.show(hold({ scale, x: x + dx, y: y + dy }, this.photo, this.size))
  }

  pixel(x, y) {
    return pixelAt(this.view, x, y)
  }

  corner(x, y) {
    return cornerAt(this.view, x, y)
  }

  // Drawing: boxes of the photo, [left, top, right, bottom), are merged until the next frame.

  draw(box) {
    if (!box) return
    const d = this.dirty
    this.dirty = d
      ? [Math.min(d[0], box[0]), Math.min(d[1], box[1]), Math.max(d[2], box[2]), Math.max(d[3], box[3])]
      : box
    this.frame ||= requestAnimationFrame(() => this.#flush())
  }

  drawAll() {
    this.draw([-Infinity, -Infinity, Infinity, Infinity])
  }

  #flush() {
    this.frame = 0
    const [left, top, right, bottom] = this.dirty
    this.dirty = null
    if (!this.labels) return
    const { scale, x, y } = this.view
    const d = this.density
    const rim = 2 * Math.ceil(d)
    const from = (at, offset) => Math.max(0, Math.floor((at * scale + offset) * d) - rim)
    const to = (at, offset, most) => Math.min(most, Math.ceil((at * scale + offset) * d) + rim)
    const [a, b] = [from(left, x), from(top, y)]
    const width = to(right, x, this.canvas.width) - a
    const height = to(bottom, y, this.canvas.height) - b
    if (width > 0 && height > 0) this.#paint(a, b, width, height, Math.round(d))
  }

  #paint(left, top, width, height, rim) {
    const columns = this.#places(left - rim, width + 2 * rim, this.view.x, this.photo.width)
    const rows = this.#places(top - rim, height + 2 * rim, this.view.y, this.photo.height)
    const seen = new Uint8Array(columns.length * rows.length)
    sample(this.labels.plane, this.photo.width, columns, rows, seen)
    const picture = new ImageData(width, height)
    const out = new Uint32Array(picture.data.buffer)
    const [x, y] = [this.view.x, this.view.y].map((at) => Math.round(at * this.density))
    shade(seen, width, height, rim, this.look, left - x, top - y, out)
    if (this.look.pieces && this.pieces) {
      const numbers = new Int32Array(seen.length)
      this.pieces.sample(columns, rows, numbers)
      shadePieces(numbers, width, height, rim, this.look.lit, out)
    }
    this.context.putImageData(picture, left, top)
  }

  // The photo pixel under the centre of each screen pixel, -1 outside.
  #places(start, count, offset, length) {
    const places = new Int32Array(count)
    for (let i = 0; i < count; i++) {
      const at = Math.floor(((start + i + 0.5) / this.density - offset) / this.view.scale)
      places[i] = at < 0 || at >= length ? -1 : at
    }
    return places
  }

  // Draw the unfinished outline, and boxes around areas to check.
  drawPath() {
    const { scale, x, y } = this.view
    const pairs = []
    for (let i = 0; i < this.outline.length; i += 2) {
      pairs.push(`${this.outline[i] * scale + x},${this.outline[i + 1] * scale + y}`)
    }
    for (const line of this.lines) line.setAttribute("points", pairs.join(" "))
    const [cx, cy] = pairs.length ? pairs[0].split(",") : [-99, -99]
    this.dot.setAttribute("cx", cx)
    this.dot.setAttribute("cy", cy)
    this.boxes.replaceChildren(...this.warnings.map(([left, top, right, bottom]) => {
      const box = document.createElementNS("http://www.w3.org/2000/svg", "rect")
      const at = { x: left * scale + x - 4, y: top * scale + y - 4 }
      const size = { width: (right - left) * scale + 8, height: (bottom - top) * scale + 8 }
      for (const [name, value] of Object.entries({ ...at, ...size })) box.setAttribute(name, value)
      return box
    }))
  }

  // The ring shows which pixels the brush covers: it is centred on a pixel.
  showRing(px, py, d, value) {
    const { scale, x, y } = this.view
    const side = Math.max(d * scale, 7)
    this.ring.hidden = false
    this.ring.dataset.value = value
    this.ring.style.width = this.ring.style.height = `${side}px`
    const at = [(px + 0.5) * scale + x - side / 2, (py + 0.5) * scale + y - side / 2]
    this.ring.style.transform = `translate(${at[0]}px, ${at[1]}px)`
  }
}

const percentOf = (scale) => (scale < 0.1 ? (100 * scale).toFixed(1) : Math.round(100 * scale))
