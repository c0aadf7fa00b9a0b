// Drafts of an earlier version of the canvas hold their masks as PNG. The browser decodes them. The
// name of the two masks holds their checksums, which reveals a browser that alters pixels (some do,
// against tracking).

import { fromBase64, nameOf, packMask, toBase64 } from "./bits.mjs"

const FIRST_OF_PNG = 0x89 // deflated data begins with another byte
const DECODED = 256 // rows decoded at a time: a canvas for a whole photo may be too large for a tablet

// {mask, ignore} as bytes in the present format; `name` names the two. Fails if the browser alters
// pixels.
export async function renewFiles({ mask, ignore }, name) {
  if (mask[0] !== FIRST_OF_PNG) return { mask, ignore }
  const [width, height] = name.split("-")[0].split("x").map(Number)
  const size = { width, height }
  const [rust, unsure] = [await repack(mask, size), await repack(ignore, size)]
  if (nameOf(rust.crc, unsure.crc, size) !== name) throw new Error("this browser changes pixels")
  return { mask: rust.packed, ignore: ignore && unsure.packed }
}

// The payload of a pending save in the present format, with its own nonce.
export async function renewPayload(payload) {
  const { mask, ignore, now } = payload
  const kept = { mask: fromBase64(mask), ignore: ignore && fromBase64(ignore) }
  const files = await renewFiles(kept, now)
  return { ...payload, mask: toBase64(files.mask), ignore: files.ignore && toBase64(files.ignore) }
}

async function repack(png, { width, height }) {
  const plane = new Uint8Array(width * height)
  if (png) await readPng(png, plane, width, height)
  return packMask(plane, width, height, 1, 1)
}

async function readPng(png, plane, width, height) {
  const image = await createImageBitmap(new Blob([png], { type: "image/png" }))
  const canvas = Object.assign(document.createElement("canvas"), { width, height: DECODED })
  const context = canvas.getContext("2d", { willReadFrequently: true })
  for (let top = 0; top < height; top += DECODED) {
    const rows = Math.min(DECODED, height - top)
    context.drawImage(image, 0, -top)
    const { data } = context.getImageData(0, 0, width, rows)
    for (let i = 0; i < width * rows; i++) plane[top * width + i] = data[4 * i] > 127 ? 1 : 0
  }
  image.close()
}
