// The smart brush: grows from the centre of the brush over pixels of similar colour, inside the
// brush only, so that it stops where the colour changes.

import { isqrt } from "./raster.mjs"

// Colour difference, 0 to about 255: hue and saturation count more than lightness, because rust is
// rough and its shading changes from pixel to pixel.
function unlike(r, g, b, ref) {
  const luma = (2 * r + 5 * g + b) / 8 - ref[3]
  const warm = r - g - (ref[0] - ref[1])
  const cold = b - g - (ref[2] - ref[1])
  return 0.35 * Math.abs(luma) + 0.7 * (Math.abs(warm) + Math.abs(cold))
}

// pixels: RGBA of a window `width` wide; (cx, cy): centre of the brush in it; d: its size. Calls span(y, from, to) in the window's coordinates.
export function grow(pixels, width, height, cx, cy, d, tolerance, span) {
  const ref = meanAround(pixels, width, height, cx, cy)
  const seen = new Uint8Array(width * height)
  const half = (y) => isqrt(Math.max(0, d * d - 4 * (y - cy) * (y - cy))) >> 1
  const fits = (x, y) => {
    const i = y * width + x
    if (seen[i]) return false
    const p = 4 * i
    return unlike(pixels[p], pixels[p + 1], pixels[p + 2], ref) <= tolerance
  }
  const top = Math.max(0, cy - (d >> 1))
  const bottom = Math.min(height - 1, cy + (d >> 1))
  const todo = [cx, cy]
  while (todo.length) {
    const y = todo.pop()
    const x = todo.pop()
    const start = cx === x && cy === y // the centre always counts
    if (!start && !fits(x, y)) continue
    const left = Math.max(0, cx - half(y))
    const right = Math.min(width - 1, cx + half(y))
    let from = x
    let to = x
    while (from > left && fits(from - 1, y)) from--
    while (to < right && fits(to + 1, y)) to++
    seen.fill(1, y * width + from, y * width + to + 1)
    span(y, from, to + 1)
    for (const next of [y - 1, y + 1]) {
      if (next < top || next > bottom) continue
      const a = Math.max(from, Math.max(0, cx - half(next)))
      const b = Math.min(to, Math.min(width - 1, cx + half(next)))
      for (let i = a; i <= b; i++) if (fits(i, next)) todo.push(i, next)
    }
  }
}

function meanAround(pixels, width, height, cx, cy) {
  const sum = [0, 0, 0]
  let n = 0
  for (let y = Math.max(0, cy - 2); y <= Math.min(height - 1, cy + 2); y++) {
    for (let x = Math.max(0, cx - 2); x <= Math.min(width - 1, cx + 2); x++, n++) {
      for (let c = 0; c < 3; c++) sum[c] += pixels[4 * (y * width + x) + c]
    }
  }
  const [r, g, b] = sum.map((value) => value / n)
  return [r, g, b, (2 * r + 5 * g + b) / 8]
}
