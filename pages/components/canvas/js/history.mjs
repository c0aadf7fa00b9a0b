// The history of steps, for undo, redo and the record sent to Python.

import { packRuns } from "./labels.mjs"

const MOST_RUNS = 12e6 // numbers stored, 48 MB; beyond it the oldest steps can no longer be undone

export class History {
  constructor(labels) {
    this.labels = labels
    this.steps = [] // {op, runs}: what is recorded, and what it changed
    this.cursor = 0 // steps[cursor] and later ones are undone
    this.undos = 0
    this.fixed = 0 // steps before this one cannot be undone any more
  }

  get canUndo() {
    return this.cursor > this.fixed
  }

  get canRedo() {
    return this.cursor < this.steps.length
  }

  push(op, runs) {
    const step = { op, runs: Uint32Array.from(runs) }
    this.steps.length = this.cursor
    this.steps.push(step)
    this.cursor++
    this.#bound()
    return step
  }

  undo() {
    if (!this.canUndo) return null
    const step = this.steps[--this.cursor]
    this.labels.toggle(step.runs)
    this.undos++
    return step
  }

  redo() {
    if (!this.canRedo) return null
    const step = this.steps[this.cursor++]
    this.labels.toggle(step.runs)
    return step
  }

  // Restore stored steps; the labels must be as they were before the first.
  restore(steps, cursor, undos) {
    this.steps = steps.map(({ op, runs }) => ({ op, runs }))
    this.cursor = cursor
    this.undos = undos
    for (const { runs } of this.steps.slice(0, cursor)) this.labels.toggle(runs)
  }

  // The strokes from the start of the history up to now.
  record() {
    return this.steps.slice(0, this.cursor).map((step) => step.op)
  }

  // A plane with 1 at scribbled pixels; null if there are no scribbles.
  scribbled() {
    const steps = this.steps.slice(0, this.cursor).filter(({ op }) => op.tool === "scribble")
    if (!steps.length) return null
    const plane = new Uint8Array(this.labels.plane.length)
    for (const { runs } of steps) {
      for (let r = 0; r < runs.length; r += 3) plane.fill(1, runs[r], runs[r] + runs[r + 1])
    }
    return plane
  }

  // The saved state becomes the start of the history. Steps that were undone while the save was
  // pending are part of it: one more step reverts them.
  rebase(saved) {
    const back = this.steps.slice(this.cursor, saved).reverse()
    const later = this.steps.slice(saved)
    if (back.length) {
      const runs = Uint32Array.from(back.flatMap((step) => [...step.runs]))
      this.steps = [{ op: changeOp("undo", runs), runs }]
    } else {
      this.steps = later
    }
    this.cursor = back.length ? 1 : this.cursor - saved
    this.fixed = Math.max(0, this.fixed - saved)
  }

  #bound() {
    let total = 0
    for (let i = this.steps.length - 1; i >= this.fixed; i--) {
      total += this.steps[i].runs.length
      if (total > MOST_RUNS) {
        this.fixed = Math.min(i + 1, this.steps.length - 1)
        for (const step of this.steps.slice(0, this.fixed)) step.runs = new Uint32Array(0)
        return
      }
    }
  }
}

// Recorded operations, as rustseg_jax/correct/strokes.py reads them.
export const paintOp = (value, d, points) => ({ op: "paint", value, d, points })
export const outlineOp = (value, points) => ({ op: "outline", value, points })
export const patchOp = (value, x, y) => ({ op: "patch", value, x, y })
export const pixelsOp = (tool, value, runs) => ({
  op: "pixels", tool, value, runs: packRuns(runs, false),
})
export const changeOp = (tool, runs) => ({ op: "change", tool, runs: packRuns(runs, true) })
