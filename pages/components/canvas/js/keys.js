// Actions of the keys; the list shown to the expert is in bar.js.

import { stepSize } from "./geometry.mjs"
import { CLEAN, RUST, UNSURE } from "./labels.mjs"

const TOOL_KEYS = {
  b: "brush", e: "eraser", s: "smart", o: "outline", f: "patch", p: "superpixel", c: "scribble",
}

export class Keys {
  constructor(app) {
    this.app = app
    this.at = null // position of the brush moved by the arrow keys, in photo pixels
  }

  // Returns whether the key has an action.
  press(event) {
    const { app } = this
    const { key } = event
    const small = key.toLowerCase()
    if (event.ctrlKey || event.metaKey) {
      if (small === "z") event.shiftKey ? app.redo() : app.undo()
      else if (small === "y") app.redo()
      else if (small === "s") app.bar.press("save")
      else return false
      return true
    }
    if (event.altKey && !key.startsWith("Arrow")) return false
    const tool = TOOL_KEYS[small]
    if (tool && !app.readonly) return app.choose(tool), true
    const act = this.#acts(event)[small]
    if (!act) return false
    act()
    return true
  }

  #acts(event) {
    const { app } = this
    const { stage, bar } = app
    const size = (up) => () => (app.size = stepSize(app.size, up))
    const zoom = (by) => () => stage.zoom(by)
    const walk = (dx, dy) => () => this.#walk(dx, dy, event.shiftKey)
    return {
      1: () => app.paintAs(RUST), 2: () => app.paintAs(CLEAN), 3: () => app.paintAs(UNSURE),
      x: () => app.paintAs(app.value === RUST ? CLEAN : RUST),
      "[": size(false), "]": size(true),
      ";": () => bar.nudge("tolerance", -2), "'": () => bar.nudge("tolerance", 2),
      ",": () => bar.nudge("opacity", -10), ".": () => bar.nudge("opacity", 10),
      "+": zoom(1.4), "=": zoom(1.4), "-": zoom(1 / 1.4),
      0: () => stage.fit(), 9: () => bar.press("one"),
      h: () => app.hide(true), v: () => bar.press("style"), u: () => bar.nextUnder(),
      z: () => bar.press("full"), "?": () => bar.press("help"),
      arrowleft: walk(-1, 0), arrowright: walk(1, 0), arrowup: walk(0, -1), arrowdown: walk(0, 1),
      enter: () => this.#enter(event), escape: () => app.dropOutline(),
      backspace: () => stage.outline.length && (stage.outline.splice(-2), stage.drawPath()),
    }
  }

  // Arrow keys move the brush; Enter presses it.
  #walk(dx, dy, fast) {
    const { app } = this
    const { stage, photo } = app
    const start = this.at ?? (app.cursor ? stage.pixel(...app.cursor) : [photo.width >> 1, photo.height >> 1])
    const step = Math.max(1, Math.round(app.size / (fast ? 1 : 4)))
    const inside = (at, most) => Math.min(most - 1, Math.max(0, at))
    this.at = [inside(start[0] + dx * step, photo.width), inside(start[1] + dy * step, photo.height)]
    app.point(this.#onStage(this.at))
  }

  #onStage([px, py]) {
    const { scale, x, y } = this.app.stage.view
    return [(px + 0.5) * scale + x, (py + 0.5) * scale + y]
  }

  #enter(event) {
    const { app } = this
    if (this.at) {
      const at = this.#onStage(this.at)
      app.begin(...at, { invert: event.altKey, line: event.shiftKey })?.end(...at)
    } else if (app.stage.outline.length) app.closeOutline()
    else if (app.settings.tool === "scribble") app.completion.ask()
  }
}
