// Superpixels: a map of numbers, coarser than the photo. The pixel (x, y) of a W x H photo belongs
// to the piece map[floor((2y + 1) h / 2H)][floor((2x + 1) w / 2W)].

export class Pieces {
  constructor(map, width, height, photo) {
    Object.assign(this, { map, width, height, photo })
    this.columns = Int32Array.from({ length: photo.width }, (_, x) => place(x, width, photo.width))
    this.rows = Int32Array.from({ length: photo.height }, (_, y) => place(y, height, photo.height))
    this.boxes = boxes(map, width, height)
  }

  at(x, y) {
    return this.map[this.rows[y] * this.width + this.columns[x]]
  }

  // The piece under each screen pixel: columns and rows are photo pixels, or -1 outside.
  sample(columns, rows, out) {
    const places = columns.map((x) => (x < 0 ? -1 : this.columns[x]))
    let at = 0
    for (const y of rows) {
      const start = y < 0 ? -1 : this.rows[y] * this.width
      for (const x of places) out[at++] = start < 0 || x < 0 ? -1 : this.map[start + x]
    }
  }

  // The box of a piece in the photo, [left, top, right, bottom).
  box(id) {
    const b = this.boxes.subarray(4 * id, 4 * id + 4)
    return [
      first(b[0], this.width, this.photo.width), first(b[1], this.height, this.photo.height),
      first(b[2], this.width, this.photo.width), first(b[3], this.height, this.photo.height),
    ]
  }

  cover(id, span) {
    const [left, top, right, bottom] = this.boxes.subarray(4 * id, 4 * id + 4)
    const bounds = []
    for (let x = left; x <= right; x++) bounds.push(first(x, this.width, this.photo.width))
    for (let row = top; row < bottom; row++) {
      const from = first(row, this.height, this.photo.height)
      const to = first(row + 1, this.height, this.photo.height)
      for (let x = left; x < right; x++) {
        if (this.map[row * this.width + x] !== id) continue
        const begin = x
        while (x + 1 < right && this.map[row * this.width + x + 1] === id) x++
        for (let y = from; y < to; y++) span(y, bounds[begin - left], bounds[x + 1 - left])
      }
    }
  }
}

const place = (x, small, large) => Math.floor(((2 * x + 1) * small) / (2 * large))
const first = (s, small, large) => Math.max(0, Math.ceil((2 * large * s - small) / (2 * small)))

function boxes(map, width, height) {
  const count = map.reduce((most, id) => Math.max(most, id), 0) + 1
  const out = new Int32Array(4 * count)
  for (let id = 0; id < count; id++) out.set([width, height, 0, 0], 4 * id)
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const b = 4 * map[i]
      if (x < out[b]) out[b] = x
      if (y < out[b + 1]) out[b + 1] = y
      if (x >= out[b + 2]) out[b + 2] = x + 1
      if (y >= out[b + 3]) out[b + 3] = y + 1
    }
  }
  return out
}
