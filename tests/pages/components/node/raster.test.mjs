// Which pixels strokes cover: small grids worked out by hand.

import assert from "node:assert/strict"
import { test } from "node:test"
import { capsule, flood, isqrt, path, polygon } from "../../../../pages/components/canvas/js/raster.mjs"

// Draw on a grid of dots and return its rows.
function draw(width, height, work) {
  const rows = Array.from({ length: height }, () => Array(width).fill("."))
  work((y, from, to) => {
    assert(y >= 0 && y < height && from >= 0 && from < to && to <= width)
    rows[y].fill("#", from, to)
  })
  return rows.map((row) => row.join(""))
}

test("whole square roots", () => {
  assert.deepEqual([0, 1, 3, 4, 8, 9, 24, 25].map(isqrt), [0, 1, 1, 2, 2, 3, 4, 5])
  assert.equal(isqrt(2 ** 50), 2 ** 25)
  assert.equal(isqrt(2 ** 50 - 1), 2 ** 25 - 1)
})

test("brushes of 1 to 5 pixels", () => {
  const dab = (d) => draw(5, 5, (span) => capsule(2, 2, 2, 2, d, 5, 5, span))
  assert.deepEqual(dab(1), [".....", ".....", "..#..", ".....", "....."])
  assert.deepEqual(dab(2), [".....", "..#..", ".###.", "..#..", "....."])
  assert.deepEqual(dab(3), [".....", ".###.", ".###.", ".###.", "....."])
  assert.deepEqual(dab(4), ["..#..", ".###.", "#####", ".###.", "..#.."])
  // 2.5 from the middle: (1, 2) is 2.24 away and in, (2, 2) is 2.83 away and out.
  assert.deepEqual(dab(5), [".###.", "#####", "#####", "#####", ".###."])
})

test("a thin slanted line has no gaps", () => {
  const line = draw(7, 4, (span) => capsule(0, 0, 6, 3, 1, 7, 4, span))
  // Where the line passes just between two pixels, 0.447 from both, it takes both.
  assert.deepEqual(line, ["##.....", ".###...", "...###.", ".....##"])
})

test("the ends of a path are round and joined, and outside is cut off", () => {
  const bent = draw(6, 5, (span) => path([1, 1, 4, 1, 4, 9], 3, 6, 5, span))
  assert.deepEqual(bent, ["######", "######", "######", "...###", "...###"])
  assert.deepEqual(draw(3, 2, (span) => path([-9, -9], 5, 3, 2, span)), ["...", "..."])
})

test("an outline covers the pixels whose middle it winds around", () => {
  const square = draw(4, 4, (span) => polygon([1, 1, 3, 1, 3, 3, 1, 3], 4, 4, span))
  assert.deepEqual(square, ["....", ".##.", ".##.", "...."])
  // The slope runs through the middles of the diagonal: they lie to its right, and are in.
  const slope = draw(3, 3, (span) => polygon([0, 0, 3, 0, 3, 3], 3, 3, span))
  assert.deepEqual(slope, ["###", ".##", "..#"])
  // Twice around is inside, too; a line back and forth is nothing.
  const twice = draw(3, 1, (span) => polygon([0, 0, 3, 0, 3, 1, 0, 1, 0, 0, 3, 0, 3, 1, 0, 1], 3, 1, span))
  assert.deepEqual(twice, ["###"])
  assert.deepEqual(draw(3, 2, (span) => polygon([0, 0, 3, 2], 3, 2, span)), ["...", "..."])
})

test("a patch goes through corners only where it may", () => {
  const picture = ["##.", "..#", "#.#"]
  const fill = (x, y, eight, own) => {
    const cells = picture.join("").split("")
    const inside = (i) => cells[i] === own
    const span = (y, from, to) => cells.fill("o", 3 * y + from, 3 * y + to)
    for (const _ of flood(x, y, eight, inside, 3, 3, span));
    return [0, 3, 6].map((i) => cells.slice(i, i + 3).join(""))
  }
  assert.deepEqual(fill(0, 0, true, "#"), ["oo.", "..o", "#.o"])
  assert.deepEqual(fill(0, 0, false, "#"), ["oo.", "..#", "#.#"])
  assert.deepEqual(fill(1, 2, false, "."), ["##.", "oo#", "#o#"])
})

test("a large patch pauses on its way", () => {
  const width = 64
  const cells = new Uint8Array(width * 600)
  const span = (y, from, to) => cells.fill(1, y * width + from, y * width + to)
  let pauses = 0
  for (const _ of flood(5, 5, false, (i) => !cells[i], width, 600, span)) pauses++
  assert.equal(pauses, 2)
  assert(cells.every((cell) => cell === 1))
})
