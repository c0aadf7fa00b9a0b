// A save is sent until it is acknowledged: always the same one, under the same nonce, so that
// the server can store it once however often it comes. Knows no page; timers are handed in.

const PATIENCE = [8, 15, 30] // seconds before each new try; the last one again and again

export class Saver {
  constructor({ send, changed, later = (...a) => setTimeout(...a), forget = (id) => clearTimeout(id) }) {
    Object.assign(this, { send, changed, later, forget })
    this.pending = null // {payload, cursor}
    this.state = "idle" // idle, saving, late, refused
    this.why = ""
    this.tries = 0
    this.timer = 0
  }

  submit(payload, cursor) {
    this.pending = { payload, cursor }
    this.tries = 0
    this.#go("saving")
  }

  // The same save again, now.
  retry() {
    if (this.pending) this.#go(this.state === "late" ? "late" : "saving")
  }

  #go(state) {
    this.forget(this.timer)
    this.state = state
    this.send(this.pending.payload)
    const wait = PATIENCE[Math.min(this.tries++, PATIENCE.length - 1)]
    this.timer = this.later(() => {
      this.#go("late")
    }, wait * 1000)
    this.changed()
  }

  // Returns what was saved, or null where the nonce is of another save.
  acknowledge(nonce) {
    if (!this.pending || this.pending.payload.nonce !== nonce) return null
    const done = this.pending
    this.stop()
    this.changed()
    return done
  }

  // The server has it and will not take it: sending it again by itself would not help.
  refuse(nonce, why) {
    if (!this.pending || this.pending.payload.nonce !== nonce || this.state === "refused") return
    this.forget(this.timer)
    this.state = "refused"
    this.why = why
    this.changed()
  }

  stop() {
    this.forget(this.timer)
    this.pending = null
    this.state = "idle"
    this.why = ""
  }
}

// Seconds of work: pauses longer than IDLE do not count.
const IDLE = 30

export class Clock {
  constructor(seconds = 0) {
    this.seconds = seconds
    this.last = null
  }

  note(now = performance.now() / 1000) {
    const gap = this.last === null ? IDLE : now - this.last
    if (gap < IDLE) this.seconds += gap
    this.last = now
  }
}

export function newNonce() {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")
}

// Strokes that make a save too large go without their pixels; the mask itself is always whole.
const MOST_BYTES = 60_000

export async function packStrokes(strokes, deflate, most = MOST_BYTES) {
  const kept = [...strokes]
  let packed = await deflate(JSON.stringify(kept))
  while (packed.length > most) {
    const size = (stroke) => (stroke.runs ?? stroke.points ?? []).length
    const largest = kept.reduce((best, stroke, i) => (size(stroke) > size(kept[best]) ? i : best), 0)
    if (!size(kept[largest])) break
    kept[largest] = { op: "lost", tool: kept[largest].tool ?? kept[largest].op }
    packed = await deflate(JSON.stringify(kept))
  }
  return packed
}
