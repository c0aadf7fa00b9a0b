// One byte per pixel: its label, and whether the expert set it by hand. Every change is stored as
// runs of [start, length, xor], so that undo and redo are exact for every tool.

export const CLEAN = 0
export const RUST = 1
export const UNSURE = 2
export const LABEL = 3 // mask of the label's bits
export const HAND = 4 // set by hand: the automatic completion must not change it

export class Labels {
  constructor(width, height) {
    this.width = width
    this.height = height
    this.plane = new Uint8Array(width * height)
    this.counts = [width * height, 0, 0] // pixels by label
  }

  // Return {span, runs}: span() sets pixels to a byte, runs collects the changes.
  pen(byte) {
    const runs = []
    const span = (y, from, to) => this.#set(y * this.width + from, y * this.width + to, byte, runs)
    return { span, runs }
  }

  #set(start, end, byte, runs) {
    const { plane, counts } = this
    let i = start
    while (i < end) {
      const old = plane[i]
      let stop = i + 1
      while (stop < end && plane[stop] === old) stop++
      if (old !== byte) {
        plane.fill(byte, i, stop)
        counts[old & LABEL] -= stop - i
        counts[byte & LABEL] += stop - i
        runs.push(i, stop - i, old ^ byte)
      }
      i = stop
    }
  }

  // Undo or redo the changes of some runs.
  toggle(runs) {
    const { plane, counts } = this
    for (let r = 0; r < runs.length; r += 3) {
      const start = runs[r]
      const length = runs[r + 1]
      const old = plane[start]
      const byte = old ^ runs[r + 2]
      plane.fill(byte, start, start + length)
      counts[old & LABEL] -= length
      counts[byte & LABEL] += length
    }
  }

  // Apply a row of the automatic completion, packed as in bits.mjs, except to pixels set by hand or
  // labelled "can't tell".
  completeRow(y, bits, runs) {
    const { plane, counts, width } = this
    const start = y * width
    let x = 0
    while (x < width) {
      const byte = plane[start + x]
      const wanted = (i) => (bits[i >> 3] >> (7 - (i & 7))) & 1
      if (byte > RUST || byte === wanted(x)) {
        x++
        continue
      }
      let stop = x + 1
      while (stop < width && plane[start + stop] === byte && wanted(stop) !== byte) stop++
      plane.fill(byte ^ 1, start + x, start + stop)
      counts[byte] -= stop - x
      counts[byte ^ 1] += stop - x
      runs.push(start + x, stop - x, 1)
      x = stop
    }
  }
}

// Whether runs are valid for this photo; they may come from a damaged store.
export function soundRuns(runs, pixels) {
  if (!(runs instanceof Uint32Array) || runs.length % 3) return false
  for (let r = 0; r < runs.length; r += 3) {
    if (runs[r + 1] === 0 || runs[r] + runs[r + 1] > pixels || runs[r + 2] > 7) return false
  }
  return true
}

// The bounding box of some runs, [left, top, right, bottom), or null for none.
export function boxOfRuns(runs, width) {
  let [left, top, right, bottom] = [Infinity, Infinity, 0, 0]
  for (let r = 0; r < runs.length; r += 3) {
    const x = runs[r] % width
    const y = (runs[r] - x) / width
    left = Math.min(left, x)
    top = Math.min(top, y)
    right = Math.max(right, x + runs[r + 1])
    bottom = Math.max(bottom, y + 1)
  }
  return right ? [left, top, Math.min(right, width), bottom] : null
}

// Runs for the record: [skip, length, ...] of the pixels whose label changed, merged and in order; if
// `changes` is true, each with the change of its label.
export function packRuns(runs, changes) {
  const sorted = []
  for (let r = 0; r < runs.length; r += 3) {
    if (runs[r + 2] & LABEL) sorted.push([runs[r], runs[r + 1], runs[r + 2] & LABEL])
  }
  sorted.sort((a, b) => a[0] - b[0])
  const packed = []
  const step = changes ? 3 : 2
  let end = 0
  for (const [start, length, change] of sorted) {
    const same = packed.length && start === end && (!changes || packed.at(-1) === change)
    if (same) packed[packed.length - step + 1] += length
    else packed.push(start - end, length, ...(changes ? [change] : []))
    end = start + length
  }
  return packed
}
