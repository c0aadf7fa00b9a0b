// Masks as PNG, written and read without a picture element: exact whatever the browser does to
// colours, and in slices, so that the page stays awake.

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10]
const UP = 2 // filter: less above; rows of a mask are mostly like the row above
const SLICE = 12 // milliseconds of work before the page may breathe

// await breathe() now and then in a long loop: it lets the page go on once its slice is used up.
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

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1
  return n
})

export function crc32(bytes, crc = 0) {
  crc = ~crc
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[i]) & 255]
  return ~crc >>> 0
}

// One bit a pixel, white where the plane has the label. Also returns the crc of the bits.
export async function encodeMask(plane, width, height, label, labelBits) {
  const stride = (width + 7) >> 3
  const deflate = new CompressionStream("deflate")
  const writer = deflate.writable.getWriter()
  const packed = collect(deflate.readable)
  const breathe = breather()
  let above = new Uint8Array(stride)
  let crc = 0
  const rows = Math.max(1, Math.floor((1 << 18) / stride))
  for (let top = 0; top < height; top += rows) {
    const count = Math.min(rows, height - top)
    const strip = new Uint8Array(count * (stride + 1))
    for (let r = 0; r < count; r++) {
      const row = packRow(plane, (top + r) * width, width, stride, label, labelBits)
      crc = crc32(row, crc)
      const at = r * (stride + 1)
      strip[at] = UP
      for (let i = 0; i < stride; i++) strip[at + 1 + i] = row[i] - above[i]
      above = row
      if (r % 32 === 0) await breathe()
    }
    await writer.write(strip)
  }
  await writer.close()
  return { png: assemble(width, height, await packed), crc }
}

function packRow(plane, start, width, stride, label, labelBits) {
  const row = new Uint8Array(stride)
  for (let x = 0; x < width; x++) {
    if ((plane[start + x] & labelBits) === label) row[x >> 3] |= 128 >> (x & 7)
  }
  return row
}

function assemble(width, height, data) {
  const header = new Uint8Array(13)
  const view = new DataView(header.buffer)
  view.setUint32(0, width)
  view.setUint32(4, height)
  header[8] = 1 // bit a pixel; the other four are 0: grey, deflate, five filters, no interlace
  const chunks = [chunk("IHDR", header), chunk("IDAT", data), chunk("IEND", new Uint8Array(0))]
  return concat([Uint8Array.from(SIGNATURE), ...chunks])
}

function chunk(name, data) {
  const out = new Uint8Array(data.length + 12)
  const view = new DataView(out.buffer)
  view.setUint32(0, data.length)
  for (let i = 0; i < 4; i++) out[4 + i] = name.charCodeAt(i)
  out.set(data, 8)
  view.setUint32(data.length + 8, crc32(out.subarray(4, data.length + 8)))
  return out
}

// Read a grey PNG of 1, 8 or 16 bits, not interlaced. onRow(y, bytes) gets each row as stored.
export async function decodePng(file, onRow) {
  const { width, height, depth, data } = readChunks(file)
  const raw = await inflate(data)
  const stride = (width * depth + 7) >> 3
  if (raw.length !== (stride + 1) * height) throw new Error("the mask is cut short")
  const breathe = breather()
  let above = new Uint8Array(stride)
  for (let y = 0; y < height; y++) {
    const at = y * (stride + 1)
    const row = raw.subarray(at + 1, at + 1 + stride)
    unfilter(raw[at], row, above, depth === 16 ? 2 : 1)
    onRow(y, row)
    above = row
    if (y % 32 === 0) await breathe()
  }
  return { width, height, depth }
}

function readChunks(file) {
  if (SIGNATURE.some((byte, i) => file[i] !== byte)) throw new Error("the mask is no PNG")
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const parts = []
  let header = null
  for (let at = 8; at + 12 <= file.length; ) {
    const length = view.getUint32(at)
    const name = String.fromCharCode(...file.subarray(at + 4, at + 8))
    if (name === "IHDR") header = at + 8
    if (name === "IDAT") parts.push(file.subarray(at + 8, at + 8 + length))
    at += length + 12
  }
  const depth = file[header + 8]
  const plain = file[header + 9] === 0 && file[header + 12] === 0
  if (!header || !plain || ![1, 8, 16].includes(depth)) throw new Error("a PNG of another kind")
  const [width, height] = [view.getUint32(header), view.getUint32(header + 4)]
  return { width, height, depth, data: concat(parts) }
}

function unfilter(kind, row, above, step) {
  for (let i = 0; kind > 0 && i < row.length; i++) {
    const left = i < step ? 0 : row[i - step]
    const corner = i < step ? 0 : above[i - step]
    if (kind === 1) row[i] += left
    else if (kind === 2) row[i] += above[i]
    else if (kind === 3) row[i] += (left + above[i]) >> 1
    else row[i] += paeth(left, above[i], corner)
  }
}

function paeth(left, up, corner) {
  const guess = left + up - corner
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)]
  return a <= b && a <= c ? left : b <= c ? up : corner
}

export async function deflateText(text) {
  return squeeze(new TextEncoder().encode(text), new CompressionStream("deflate"))
}

export async function inflate(bytes) {
  return squeeze(bytes, new DecompressionStream("deflate"))
}

async function squeeze(bytes, stream) {
  const writer = stream.writable.getWriter()
  const out = collect(stream.readable)
  const sent = writer.write(bytes).then(() => writer.close())
  await Promise.all([out, sent])
  return out
}

async function collect(readable) {
  const parts = []
  const reader = readable.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return concat(parts)
    parts.push(value)
  }
}

export function concat(parts) {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

export const fromBase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0))

export function toBase64(bytes) {
  let text = ""
  for (let i = 0; i < bytes.length; i += 8192) {
    text += String.fromCharCode(...bytes.subarray(i, i + 8192))
  }
  return btoa(text)
}
