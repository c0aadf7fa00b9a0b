// A save is sent again until it is acknowledged, always with the same nonce, so that the server can
// store it once however often it arrives. Independent of the page; timers are passed in.

const PATIENCE = [8, 15, 30] // seconds before each retry; the last one repeats

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

  // Send the same save again now.
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

  // Returns the acknowledged save, or null if the nonce is of another save.
  acknowledge(nonce) {
    if (!this.pending || this.pending.payload.nonce !== nonce) return null
    const done = this.pending
    this.stop()
    this.changed()
    return done
  }

  // The server refused the save: sending it again would not help.
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

// Seconds of work, without pauses longer than IDLE.
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

// If a save is too large, the largest strokes are sent without their pixels; the mask is complete.
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
