// Masks as rows of bits, deflated by the browser in slices, so that the page stays responsive. A row
// has one bit per pixel, the leftmost in the highest bit, padded with zeros to whole bytes, as from
// np.packbits. pages/components/canvas/wire.py and pictures.py are the counterpart.

const SLICE = 12 // milliseconds of work before yielding to the page
const STRIP = 1 << 18 // bytes of rows passed to the browser at a time

// Call await breathe() regularly in a long loop: it yields to the page after each time slice.
export function breather() {
  let until = performance.now() + SLICE
  return () => {
    if (performance.now() < until) return null
    return new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel()
      port1.onmessage = () => {
        port1.close()
        until = performance.now() + SLICE
        resolve()
      }
      port2.postMessage(0)
    })
  }
}

// Table of the CRC-32 of zlib.crc32, one entry per byte value.
const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1
  return n
})

export function crc32(bytes, crc = 0) {
  crc = ~crc
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[i]) & 255]
  return ~crc >>> 0
}

// Pack the pixels with a label as {packed, crc}: deflated rows, and the checksum of the rows.
export async function packMask(plane, width, height, label, labelBits) {
  const stride = (width + 7) >> 3
  const deflate = new CompressionStream("deflate")
  const writer = deflate.writable.getWriter()
  const packed = collect(deflate.readable)
  const breathe = breather()
  const rows = Math.max(1, Math.floor(STRIP / stride))
  let crc = 0
  for (let top = 0; top < height; top += rows) {
    const count = Math.min(rows, height - top)
    const strip = new Uint8Array(count * stride)
    for (let r = 0; r < count; r++) {
      const row = strip.subarray(r * stride, (r + 1) * stride)
      packRow(row, plane, (top + r) * width, width, label, labelBits)
      crc = crc32(row, crc)
      if (r % 32 === 0) await breathe()
    }
    await writer.write(strip)
  }
  await writer.close()
  return { packed: await packed, crc }
}

function packRow(row, plane, start, width, label, labelBits) {
  for (let x = 0; x < width; x++) {
    if ((plane[start + x] & labelBits) === label) row[x >> 3] |= 128 >> (x & 7)
  }
}

// Unpack a mask; calls onRow(y, bits) for each row.
export async function unpackMask(packed, width, height, onRow) {
  const stride = (width + 7) >> 3
  const rows = await inflate(packed, stride * height)
  const breathe = breather()
  for (let y = 0; y < height; y++) {
    onRow(y, rows.subarray(y * stride, (y + 1) * stride))
    if (y % 32 === 0) await breathe()
  }
}

// The name of a mask, as base_of in pages/components/canvas/pictures.py computes it.
export function nameOf(maskCrc, ignoreCrc, { width, height }) {
  const hex = (crc) => crc.toString(16).padStart(8, "0")
  return `${width}x${height}-${hex(maskCrc)}${hex(ignoreCrc)}`
}

export function deflateText(text) {
  const stream = new CompressionStream("deflate")
  feed(stream, new TextEncoder().encode(text))
  return collect(stream.readable)
}

// Inflate exactly `length` bytes; any other length is an error, detected before unpacking more.
export async function inflate(packed, length) {
  const stream = new DecompressionStream("deflate")
  feed(stream, packed)
  const out = new Uint8Array(length)
  const reader = stream.readable.getReader()
  let at = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    if (at + value.length > length) {
      reader.cancel().catch(() => {})
      throw new Error(`a file has more than the expected ${length} bytes`)
    }
    out.set(value, at)
    at += value.length
  }
  if (at < length) throw new Error(`a file has ${at} bytes instead of ${length}`)
  return out
}

// Errors are reported where the stream is read.
function feed(stream, bytes) {
  const writer = stream.writable.getWriter()
  writer.write(bytes).catch(() => {})
  writer.close().catch(() => {})
}

async function collect(readable) {
  return new Uint8Array(await new Response(readable).arrayBuffer())
}

export const fromBase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0))

export function toBase64(bytes) {
  let text = ""
  for (let i = 0; i < bytes.length; i += 8192) {
    text += String.fromCharCode(...bytes.subarray(i, i + 8192))
  }
  return btoa(text)
}
