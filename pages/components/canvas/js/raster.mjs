// Which pixels a stroke covers. Integers only, so that Python (rustseg_jax/correct/strokes.py) finds the
// same pixels. Every function calls span(y, from, to) for pixels from <= x < to of row y, inside
// the photo. The rules are written down in rustseg_jax/correct/strokes.py.

// The largest whole number whose square is at most n; n is a whole number below 2^52.
export function isqrt(n) {
  let root = Math.floor(Math.sqrt(n))
  while (root * root > n) root--
  while ((root + 1) * (root + 1) <= n) root++
  return root
}

// Whole x with low <= a * x <= high, as [first, last]; nothing when first > last.
function solve(a, low, high) {
  if (a === 0) return low <= 0 && high >= 0 ? [-Infinity, Infinity] : [1, 0]
  if (a < 0) [a, low, high] = [-a, -high, -low]
  return [Math.ceil(low / a), Math.floor(high / a)]
}

// Pixels whose centre is at most d / 2 away from the segment between two pixel centres.
export function capsule(ax, ay, bx, by, d, width, height, span) {
  const vx = bx - ax
  const vy = by - ay
  const square = vx * vx + vy * vy
  const across = isqrt(d * d * square)
  const reach = d >> 1
  const bottom = Math.min(height - 1, Math.max(ay, by) + reach)
  for (let y = Math.max(0, Math.min(ay, by) - reach); y <= bottom; y++) {
    let first = Infinity
    let last = -Infinity
    for (const [x, centre] of [[ax, ay], [bx, by]]) {
      const rest = d * d - 4 * (y - centre) * (y - centre)
      if (rest < 0) continue
      const half = isqrt(rest) >> 1
      first = Math.min(first, x - half)
      last = Math.max(last, x + half)
    }
    if (square > 0) {
      const wy = y - ay
      const along = solve(vx, -vy * wy, square - vy * wy)
      const beside = solve(2 * vy, 2 * vx * wy - across, 2 * vx * wy + across)
      const from = Math.max(along[0], beside[0])
      const to = Math.min(along[1], beside[1])
      if (from <= to) {
        first = Math.min(first, ax + from)
        last = Math.max(last, ax + to)
      }
    }
    first = Math.max(0, first)
    last = Math.min(width - 1, last)
    if (first <= last) span(y, first, last + 1)
  }
}

// A path [x0, y0, x1, y1, ...] of pixel centres drawn with a round brush d wide.
export function path(points, d, width, height, span) {
  if (points.length === 2) {
    capsule(points[0], points[1], points[0], points[1], d, width, height, span)
  }
  for (let i = 2; i < points.length; i += 2) {
    capsule(points[i - 2], points[i - 1], points[i], points[i + 1], d, width, height, span)
  }
}

// Pixels whose centre an outline winds around. Its points are corners between pixels.
export function polygon(points, width, height, span) {
  const rows = crossings(points, height)
  for (const [y, list] of rows) {
    list.sort((a, b) => a[0] - b[0])
    let turns = 0
    let from = 0
    for (const [x, turn] of list) {
      if (turns === 0) from = x
      turns += turn
      if (turns === 0) {
        const first = Math.max(0, from)
        const last = Math.min(width, x)
        if (first < last) span(y, first, last)
      }
    }
  }
}

// Row -> [first pixel right of the edge, direction] for each edge that crosses the row's middle.
function crossings(points, height) {
  const rows = new Map()
  const n = points.length
  for (let i = 0; i < n; i += 2) {
    let [x0, y0, x1, y1] = [points[i], points[i + 1], points[(i + 2) % n], points[(i + 3) % n]]
    if (y0 === y1) continue
    const turn = y0 < y1 ? 1 : -1
    if (turn < 0) [x0, y0, x1, y1] = [x1, y1, x0, y0]
    const dx = x1 - x0
    const dy = y1 - y0
    for (let y = Math.max(0, y0); y < Math.min(height, y1); y++) {
      const x = Math.ceil(((2 * x0 - 1) * dy + (2 * (y - y0) + 1) * dx) / (2 * dy))
      if (!rows.has(y)) rows.set(y, [])
      rows.get(y).push([x, turn])
    }
  }
  return rows
}

// The connected patch around (x, y) of pixels for which inside(index) holds: with corners when
// eight is true. span must make inside() false for its pixels. A generator: it pauses after every
// 256 spans, so that the caller can keep the page responsive.
export function* flood(x, y, eight, inside, width, height, span) {
  const todo = [x, y]
  let count = 0
  while (todo.length) {
    const row = todo.pop()
    const at = todo.pop()
    const start = row * width
    if (!inside(start + at)) continue
    let first = at
    let last = at
    while (first > 0 && inside(start + first - 1)) first--
    while (last < width - 1 && inside(start + last + 1)) last++
    span(row, first, last + 1)
    const from = eight ? Math.max(0, first - 1) : first
    const to = eight ? Math.min(width - 1, last + 1) : last
    for (const next of [row - 1, row + 1]) {
      if (next < 0 || next >= height) continue
      let open = false
      for (let i = from; i <= to; i++) {
        const here = inside(next * width + i)
        if (here && !open) todo.push(i, next)
        open = here
      }
    }
    if (++count % 256 === 0) yield
  }
}
