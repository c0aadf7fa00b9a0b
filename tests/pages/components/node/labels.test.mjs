// Labels, undo and redo, records, pieces, the smart brush.

import assert from "node:assert/strict"
import { test } from "node:test"
import { History, paintOp } from "../../../../pages/components/canvas/js/history.mjs"
import { grow } from "../../../../pages/components/canvas/js/grow.mjs"
import { boxOfRuns, HAND, LABEL, Labels, packRuns, RUST, soundRuns, UNSURE } from "../../../../pages/components/canvas/js/labels.mjs"
import { Pieces } from "../../../../pages/components/canvas/js/pieces.mjs"

const counted = (labels) => [0, 1, 2].map((label) => labels.plane.filter((b) => (b & LABEL) === label).length)

test("what a pen changed is kept as runs, and counted", () => {
  const labels = new Labels(4, 2)
  const first = labels.pen(RUST | HAND)
  first.span(0, 1, 3)
  first.span(0, 1, 4) // two of three pixels have it already
  assert.deepEqual(first.runs, [1, 2, 5, 3, 1, 5])
  const second = labels.pen(UNSURE | HAND)
  second.span(0, 0, 4)
  assert.deepEqual(second.runs, [0, 1, 6, 1, 3, 3])
  assert.deepEqual(labels.counts, [4, 0, 4])
  labels.toggle(second.runs)
  assert.deepEqual([...labels.plane], [0, 5, 5, 5, 0, 0, 0, 0])
  assert.deepEqual(labels.counts, [5, 3, 0])
  assert.deepEqual(boxOfRuns(second.runs, 4), [0, 0, 4, 1])
  assert.equal(boxOfRuns([], 4), null)
})

test("scribbles are told from what was drawn with care", () => {
  const labels = new Labels(4, 2)
  const history = new History(labels)
  const draw = (y, from, to, tool) => {
    const pen = labels.pen(RUST | HAND)
    pen.span(y, from, to)
    history.push({ ...paintOp(RUST, 1, [from, y]), ...(tool ? { tool } : {}) }, pen.runs)
  }
  draw(0, 0, 2)
  assert.equal(history.scribbled(), null)
  draw(1, 1, 3, "scribble")
  assert.deepEqual([...history.scribbled()], [0, 0, 0, 0, 0, 1, 1, 0])
  history.undo()
  assert.equal(history.scribbled(), null)
})

test("a completion leaves alone what the hand set and what nobody can tell", () => {
  const labels = new Labels(8, 1)
  labels.pen(RUST | HAND).span(0, 0, 2)
  labels.pen(HAND).span(0, 2, 3)
  labels.pen(UNSURE).span(0, 3, 4)
  labels.pen(RUST).span(0, 4, 6)
  const runs = []
  labels.completeRow(0, Uint8Array.of(0b00110101), runs)
  assert.deepEqual([...labels.plane], [5, 5, 4, 2, 0, 1, 0, 1])
  assert.deepEqual(runs, [4, 1, 1, 7, 1, 1])
  assert.deepEqual(labels.counts, counted(labels))
})

test("any order of undo and redo leads back to the same bytes", () => {
  const labels = new Labels(40, 30)
  const history = new History(labels)
  const seen = [labels.plane.slice()]
  let seed = 7
  const random = (n) => (seed = (seed * 48271) % 2147483647) % n
  for (let step = 0; step < 40; step++) {
    const pen = labels.pen([HAND, RUST | HAND, UNSURE | HAND][random(3)])
    for (let s = 0; s < 5; s++) {
      const from = random(39)
      pen.span(random(30), from, from + 1 + random(40 - from))
    }
    history.push(paintOp(1, 1, [0, 0]), pen.runs)
    seen.push(labels.plane.slice())
  }
  for (let turn = 0; turn < 300; turn++) {
    if (random(2)) history.undo()
    else history.redo()
    assert.deepEqual(labels.plane, seen[history.cursor])
    assert.deepEqual(labels.counts, counted(labels))
  }
})

test("after a save the history begins anew, also where steps were undone meanwhile", () => {
  const labels = new Labels(4, 1)
  const history = new History(labels)
  const paint = (x) => {
    const pen = labels.pen(RUST | HAND)
    pen.span(0, x, x + 1)
    history.push(paintOp(1, 1, [x, 0]), pen.runs)
  }
  paint(0)
  paint(1)
  history.rebase(1) // the second came after Save was pressed
  assert.deepEqual(history.record(), [paintOp(1, 1, [1, 0])])
  history.undo()
  assert.equal(history.undo(), null)
  paint(2)
  history.undo() // while this save is under way
  history.rebase(1)
  assert.deepEqual(history.record(), [{ op: "change", tool: "undo", runs: [2, 1, 1] }])
  assert.deepEqual([...labels.plane], [5, 0, 0, 0])
  history.undo()
  assert.deepEqual([...labels.plane], [5, 0, 5, 0])
})

test("records join neighbours and leave out what changed no label", () => {
  const runs = [8, 2, 5, 4, 2, 5, 6, 2, 5, 0, 3, 4]
  assert.deepEqual(packRuns(runs, false), [4, 6])
  assert.deepEqual(packRuns([0, 2, 1, 2, 2, 3], true), [0, 2, 1, 0, 2, 3])
})

test("runs of a damaged store are found out", () => {
  const ok = Uint32Array.of(0, 4, 5)
  assert(soundRuns(ok, 4))
  assert(!soundRuns(ok, 3))
  assert(!soundRuns([0, 4, 5], 4))
  assert(!soundRuns(Uint32Array.of(0, 4), 4))
  assert(!soundRuns(Uint32Array.of(0, 4, 9), 4))
  assert(!soundRuns(Uint32Array.of(0, 0, 1), 4))
})

test("pieces cover exactly the pixels that lie in them", () => {
  const photo = { width: 11, height: 7 }
  const map = Uint16Array.of(0, 0, 1, 2, 0, 1)
  const pieces = new Pieces(map, 3, 2, photo)
  const painted = new Int32Array(77).fill(-1)
  for (const id of [0, 1, 2]) {
    const [left, top, right, bottom] = pieces.box(id)
    pieces.cover(id, (y, from, to) => {
      assert(y >= top && y < bottom && from >= left && to <= right)
      painted.fill(id, y * 11 + from, y * 11 + to)
    })
  }
  for (let y = 0; y < 7; y++) {
    for (let x = 0; x < 11; x++) {
      assert.equal(painted[y * 11 + x], pieces.at(x, y))
      const place = Math.floor(((2 * y + 1) * 2) / 14) * 3 + Math.floor(((2 * x + 1) * 3) / 22)
      assert.equal(pieces.at(x, y), map[place])
    }
  }
})

test("the smart brush stops at the edge of a colour and of the brush", () => {
  const [width, height] = [12, 9]
  const pixels = new Uint8ClampedArray(4 * width * height)
  for (let i = 0; i < width * height; i++) {
    const rust = i % width < 7
    pixels.set(rust ? [150 + (i % 5), 75, 35, 255] : [150, 150, 155, 255], 4 * i)
  }
  const seen = new Set()
  grow(pixels, width, height, 4, 4, 7, 26, (y, from, to) => {
    for (let x = from; x < to; x++) {
      assert(!seen.has(y * width + x))
      seen.add(y * width + x)
      assert(x < 7)
      assert(4 * ((x - 4) ** 2 + (y - 4) ** 2) <= 49)
    }
  })
  assert.equal(seen.size, 37 - 3) // a disc of 37 pixels, less its column of 3 beyond the edge
})
