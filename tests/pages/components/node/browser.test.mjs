// Packed masks, saves, sizes and colours: what has no page in it.

import assert from "node:assert/strict"
import { test } from "node:test"
import { inflateSync } from "node:zlib"
import { crc32, deflateText, inflate, nameOf, packMask, unpackMask } from "../../../../pages/components/canvas/js/bits.mjs"
import { fit, hold, pixelAt, stepSize, zoomAt } from "../../../../pages/components/canvas/js/geometry.mjs"
import { RUST, UNSURE } from "../../../../pages/components/canvas/js/labels.mjs"
import { Clock, packStrokes, Saver } from "../../../../pages/components/canvas/js/saver.mjs"
import { OUTSIDE, palette, sample, shade } from "../../../../pages/components/canvas/js/shade.mjs"

test("the checksum of zlib", () => {
  assert.equal(crc32(new TextEncoder().encode("123456789")), 0xcbf43926)
  assert.equal(nameOf(0xcbf43926, 1, { width: 30, height: 20 }), "30x20-cbf4392600000001")
})

test("a mask comes back from what is sent, for widths that fill no byte", async () => {
  for (const [width, height] of [[1, 1], [7, 3], [8, 2], [333, 70], [4001, 600]]) {
    const plane = Uint8Array.from({ length: width * height }, (_, i) => (i * i + (i >> 3)) % 3)
    const { packed, crc } = await packMask(plane, width, height, UNSURE, 3)
    const stride = (width + 7) >> 3
    const rows = new Uint8Array(stride * height)
    await unpackMask(packed, width, height, (y, row) => rows.set(row, y * stride))
    assert.equal(crc, crc32(rows))
    for (let i = 0; i < plane.length; i++) {
      const [x, y] = [i % width, Math.floor(i / width)]
      const bit = (rows[y * stride + (x >> 3)] >> (7 - (x & 7))) & 1
      assert.equal(bit, plane[i] === UNSURE ? 1 : 0)
    }
  }
})

test("what is no mask of the photo's size is refused", async () => {
  const { packed } = await packMask(new Uint8Array(800), 40, 20, 1, 3) // rows of 5 bytes
  const unpack = (bytes, width, height) => unpackMask(bytes, width, height, () => {})
  await unpack(packed, 40, 20)
  await assert.rejects(unpack(packed, 41, 20), /100 bytes instead of 120/)
  await assert.rejects(unpack(packed, 40, 19), /more than the expected 95 bytes/)
  await assert.rejects(unpack(packed.subarray(0, packed.length - 3), 40, 20))
  await assert.rejects(unpack(Uint8Array.of(1, 2, 3), 40, 20))
})

test("nothing is unpacked beyond what was expected", async () => {
  let pieces = 0
  const chunk = new Uint8Array(1 << 16)
  const endless = new ReadableStream({ pull: (control) => (pieces++, control.enqueue(chunk)) })
  const real = globalThis.DecompressionStream
  globalThis.DecompressionStream = class {
    readable = endless
    writable = new WritableStream()
  }
  try {
    await assert.rejects(inflate(Uint8Array.of(1), 100_000), /more than the expected 100000/)
  } finally {
    globalThis.DecompressionStream = real
  }
  assert(pieces <= 4)
})

test("a save is sent until it is acknowledged, always the same", () => {
  const sent = []
  let timer = null
  const saver = new Saver({
    send: (payload) => sent.push(payload.nonce), changed: () => {},
    later: (work, wait) => (timer = { work, wait }), forget: () => (timer = null),
  })
  saver.submit({ nonce: "a" }, 3)
  assert.deepEqual([saver.state, timer.wait], ["saving", 8000])
  timer.work()
  assert.deepEqual([saver.state, timer.wait], ["late", 15000])
  saver.retry()
  timer.work()
  assert.deepEqual(sent, ["a", "a", "a", "a"])
  assert.equal(timer.wait, 30000)
  assert.equal(saver.acknowledge("b"), null)
  assert.deepEqual(saver.acknowledge("a"), { payload: { nonce: "a" }, cursor: 3 })
  assert.deepEqual([saver.state, timer, saver.pending], ["idle", null, null])
  saver.submit({ nonce: "c" }, 0)
  saver.refuse("a", "old")
  assert.equal(saver.state, "saving")
  saver.refuse("c", "no room")
  assert.deepEqual([saver.state, saver.why, timer], ["refused", "no room", null])
})

test("pauses are no work", () => {
  const clock = new Clock(5)
  for (const now of [100, 101, 110, 200, 202]) clock.note(now)
  assert.equal(clock.seconds, 5 + 1 + 9 + 2)
})

test("strokes that are too large go without their pixels, the largest first", async () => {
  let seed = 1
  const noise = (n) => Array.from({ length: n }, () => (seed = (seed * 48271) % 2147483647) % 1009)
  const strokes = [
    { op: "paint", value: 1, d: 3, points: [1, 2] },
    { op: "pixels", tool: "smart", value: 1, runs: noise(4000) },
    { op: "change", tool: "crf", runs: noise(9000) },
  ]
  const read = (packed) => JSON.parse(inflateSync(packed).toString())
  assert.deepEqual(read(await packStrokes(strokes, deflateText)), strokes)
  const kept = read(await packStrokes(strokes, deflateText, 10_000))
  assert.deepEqual(kept.map((s) => s.op), ["paint", "pixels", "lost"])
  assert.equal(kept[2].tool, "crf")
  assert.equal(strokes[2].op, "change")
})

test("zooming keeps the point under the pointer, and the photo in sight", () => {
  const photo = { width: 4000, height: 3000 }
  const stage = { width: 1000, height: 600 }
  const whole = fit(photo, stage)
  assert.deepEqual(whole, { scale: 0.2, x: 100, y: 0 })
  const near = zoomAt(whole, 3, 400, 300, photo, stage)
  assert.deepEqual(pixelAt(near, 400, 300), pixelAt(whole, 400, 300))
  assert.equal(zoomAt(near, 0.001, 0, 0, photo, stage).scale, 0.2)
  assert.equal(zoomAt(near, 1e6, 0, 0, photo, stage).scale, 40)
  const far = hold({ scale: 1, x: -99999, y: 99999 }, photo, stage)
  assert.deepEqual(far, { scale: 1, x: -3940, y: 540 })
})

test("brush sizes step by about a seventh and never stick", () => {
  let size = 1
  const sizes = [size]
  while (size < 1000) sizes.push((size = stepSize(size, true)))
  assert(sizes.length < 60)
  while (size > 1) size = stepSize(size, false)
  assert.equal(stepSize(1, false), 1)
})

test("rust is tinted, edged in white inside and in dark outside, and clean is clear", () => {
  const look = { opacity: 0.5, filled: true, marks: false }
  const plane = new Uint8Array(49)
  for (const y of [2, 3, 4]) plane.fill(RUST, 7 * y + 2, 7 * y + 5)
  const at = Int32Array.of(-1, 0, 1, 2, 3, 4, 5, 6, -1)
  const seen = new Uint8Array(81)
  sample(plane, 7, at, at, seen)
  assert.equal(seen[0], OUTSIDE)
  const out = new Uint32Array(49)
  shade(seen, 7, 7, 1, look, 0, 0, out)
  assert.equal(out[3 * 7 + 3], palette(look)[RUST])
  assert.equal(out[2 * 7 + 3] >>> 24, 255)
  assert.equal(out[1 * 7 + 3] >>> 24, 230)
  assert.equal(out[0], 0)
  shade(seen, 7, 7, 1, { ...look, filled: false }, 0, 0, out)
  assert.equal(out[3 * 7 + 3], 0)
  assert.equal(out[2 * 7 + 3] >>> 24, 255)
})
