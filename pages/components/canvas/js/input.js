// Input from mouse, pen, touch, wheel and keyboard.

const TREMBLE = 4 // screen pixels that the pointer may move during a click
const SECOND_FINGER = 350 // milliseconds in which a second finger turns a stroke into a pinch

export class Input {
  constructor(app) {
    this.app = app
    this.stage = app.stage
    this.fingers = new Map() // pointer id -> position
    this.stroke = null // {id, gesture, began}
    this.pinch = null
    this.space = false
    const element = this.stage.element
    const on = (name, handler) => (element[name] = handler)
    on("onpointerdown", (event) => this.down(event))
    on("onpointermove", (event) => this.move(event))
    on("onpointerup", (event) => this.up(event))
    on("onpointercancel", (event) => this.up(event, true))
    on("onpointerenter", () => this.enter())
    on("onpointerleave", () => this.app.point(null))
    on("oncontextmenu", (event) => event.preventDefault())
    on("ondblclick", () => app.closeOutline())
    this.wheel = (event) => this.turn(event)
    element.addEventListener("wheel", this.wheel, { passive: false })
    app.root.onkeydown = (event) => this.key(event)
    app.root.onkeyup = (event) => this.keyUp(event)
    app.root.onfocusout = () => this.letGo()
  }

  stop() {
    this.stage.element.removeEventListener("wheel", this.wheel)
  }

  #at(event) {
    const box = this.stage.element.getBoundingClientRect()
    return [event.clientX - box.left, event.clientY - box.top]
  }

  // Keys work as soon as the pointer is over the photo, unless another element has the focus.
  enter() {
    const active = document.activeElement
    if (!active || active === document.body) this.stage.element.focus({ preventScroll: true })
  }

  down(event) {
    if (event.target.closest(".zoom")) return
    this.app.clock.note()
    const [x, y] = this.#at(event)
    this.stage.element.focus({ preventScroll: true })
    this.stage.element.setPointerCapture(event.pointerId)
    if (event.pointerType === "touch") {
      if (this.stroke?.pen) return // the palm of the hand that holds the pen
      this.fingers.set(event.pointerId, [x, y])
      if (this.fingers.size >= 2) return this.#beginPinch()
    } else if (this.stroke) return
    event.preventDefault()
    const panning = event.button === 1 || this.space || this.app.readonly
    if (!panning && event.button !== 0 && event.button !== 2) return
    const how = { invert: event.altKey || event.button === 2, line: event.shiftKey }
    const gesture = panning ? new Pan(this.stage, x, y) : this.app.begin(x, y, how)
    if (!gesture) return
    const pen = event.pointerType === "pen"
    this.stroke = { id: event.pointerId, gesture, began: performance.now(), pen }
  }

  move(event) {
    const [x, y] = this.#at(event)
    if (this.fingers.has(event.pointerId)) this.fingers.set(event.pointerId, [x, y])
    if (this.pinch) return this.#movePinch()
    if (this.stroke?.id === event.pointerId) {
      this.app.clock.note()
      const steps = event.getCoalescedEvents?.() ?? []
      for (const step of steps.length ? steps : [event]) this.stroke.gesture.move(...this.#at(step))
    }
    this.app.keys.at = null
    if (event.pointerType !== "touch" || this.stroke) this.app.point([x, y])
  }

  up(event, cancelled = false) {
    this.fingers.delete(event.pointerId)
    if (this.pinch && this.fingers.size < 2) this.pinch = null
    if (this.stroke?.id !== event.pointerId) return
    const { gesture } = this.stroke
    this.stroke = null
    if (cancelled) gesture.cancel()
    else gesture.end(...this.#at(event))
    if (event.pointerType === "touch") this.app.point(null)
  }

  #beginPinch() {
    if (this.stroke) {
      const young = performance.now() - this.stroke.began < SECOND_FINGER
      if (young) this.stroke.gesture.cancel()
      else this.stroke.gesture.end()
      this.stroke = null
    }
    this.app.point(null)
    this.pinch = this.#span()
  }

  #span() {
    const [[ax, ay], [bx, by]] = [...this.fingers.values()]
    return { x: (ax + bx) / 2, y: (ay + by) / 2, far: Math.max(10, Math.hypot(ax - bx, ay - by)) }
  }

  #movePinch() {
    if (this.fingers.size < 2) return
    const now = this.#span()
    this.stage.pan(now.x - this.pinch.x, now.y - this.pinch.y)
    this.stage.zoom(now.far / this.pinch.far, now.x, now.y)
    this.pinch = now
  }

  // The wheel scrolls the page; with Ctrl (or a pinch on a touchpad) it zooms.
  turn(event) {
    const full = this.app.full
    if (!event.ctrlKey && !event.metaKey && !full) return this.app.wheelHint()
    event.preventDefault()
    const lines = event.deltaMode ? 16 : 1
    const turn = Math.max(-60, Math.min(60, event.deltaY * lines))
    this.stage.zoom(Math.exp(-turn * 0.006), ...this.#at(event))
  }

  key(event) {
    const slider = event.composedPath()[0]
    const own = slider instanceof HTMLInputElement || slider instanceof HTMLSelectElement
    if (own && (event.key.startsWith("Arrow") || ["Home", "End", "Enter", " "].includes(event.key))) return
    const button = slider instanceof HTMLButtonElement
    if (button && (event.key === "Enter" || event.key === " ")) return
    if (slider.closest?.("dialog")) return
    if (event.key === " " && !this.space) {
      this.space = true
      this.stage.element.classList.add("pan")
    }
    if (event.key === " " || this.app.keys.press(event)) {
      event.preventDefault()
      event.stopPropagation() // Streamlit has keys of its own
      this.app.clock.note()
    }
  }

  keyUp(event) {
    if (event.key === " " || event.key.toLowerCase() === "h") this.letGo()
  }

  letGo() {
    this.space = false
    this.stage.element.classList.remove("pan")
    this.app.hide(false)
  }
}

class Pan {
  constructor(stage, x, y) {
    Object.assign(this, { stage, x, y })
    stage.element.classList.add("panning")
  }

  move(x, y) {
    this.stage.pan(x - this.x, y - this.y)
    Object.assign(this, { x, y })
  }

  end() {
    this.stage.element.classList.remove("panning")
  }

  cancel() {
    this.end()
  }
}

// A stroke of a tool; converts positions to photo pixels.
export class Drawing {
  constructor(app, stroke) {
    Object.assign(this, { app, stroke })
  }

  move(x, y) {
    this.stroke.move(...this.app.stage.pixel(x, y))
    this.app.bar.liveArea()
  }

  end() {
    this.stroke.end()
  }

  cancel() {
    this.stroke.cancel()
  }
}

// An outline: dragging draws freehand, clicks set corners; Enter, a double click or a click on the
// first corner closes it.
export class Outlining {
  constructor(app, x, y) {
    Object.assign(this, { app, start: [x, y], fresh: app.stage.outline.length === 0, drags: false })
    this.#add(x, y)
  }

  #add(x, y) {
    const { outline } = this.app.stage
    const [cx, cy] = this.app.stage.corner(x, y)
    if (outline.at(-2) !== cx || outline.at(-1) !== cy) outline.push(cx, cy)
    this.app.stage.drawPath()
  }

  move(x, y) {
    this.drags ||= Math.hypot(x - this.start[0], y - this.start[1]) > TREMBLE
    if (this.drags) this.#add(x, y)
  }

  end(x, y) {
    const { outline, view } = this.app.stage
    const [fx, fy] = [outline[0] * view.scale + view.x, outline[1] * view.scale + view.y]
    const back = outline.length > 4 && Math.hypot((x ?? -99) - fx, (y ?? -99) - fy) < 10
    if ((this.fresh && this.drags) || (!this.drags && back)) this.app.closeOutline()
  }

  cancel() {
    if (this.fresh) this.app.dropOutline()
  }
}
