// Loading files from the server: photo, masks, superpixels.

import { inflate, unpackMask } from "./bits.mjs"
import { mediaUrl } from "./geometry.mjs"
import { Pieces } from "./pieces.mjs"

// If a click ends a run of the page before it reaches the canvas, the server deletes the canvas's
// files, and the next run restores them at the same address. Seconds to wait for that.
const WAITS = [0.2, 0.5, 1, 2, 4, 8, 15, 30]

async function patiently(work) {
  for (const seconds of WAITS) {
    try {
      return await work()
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 1000 * seconds))
    }
  }
  return work()
}

export function bytesOf(url) {
  return patiently(async () => {
    const reply = await fetch(mediaUrl(url))
    if (!reply.ok) throw new Error(`${url} answered ${reply.status}`)
    return new Uint8Array(await reply.arrayBuffer())
  })
}

// Resolves once the image can be drawn.
export function showPhoto(image, { photo, name }) {
  image.alt = name
  return patiently(() => {
    image.src = mediaUrl(photo)
    return image.decode()
  })
}

// Set the label of the pixels of a packed mask.
export async function loadMask(packed, label, labels) {
  const { plane, counts, width, height } = labels
  await unpackMask(packed, width, height, (y, row) => {
    for (let x = 0; x < width; ) {
      if (!row[x >> 3] && (x & 7) === 0) {
        x += 8
        continue
      }
      if ((row[x >> 3] >> (7 - (x & 7))) & 1) {
        counts[plane[y * width + x]]--
        counts[label]++
        plane[y * width + x] = label
      }
      x++
    }
  })
}

export async function loadPieces({ url, width, height }, photo) {
  // Two bytes per number, low byte first: the byte order of every processor that runs a browser.
  const map = new Uint16Array((await inflate(await bytesOf(url), 2 * width * height)).buffer)
  return new Pieces(map, width, height, photo)
}

// The photo's pixels for the smart brush; decoded once, separately from the image on the page.
export class Colours {
  constructor(image) {
    this.image = image
    this.bitmap = null
    this.fetching = false
  }

  get ready() {
    return this.bitmap !== null
  }

  stop() {
    this.bitmap?.close()
  }

  async need() {
    if (this.bitmap || this.fetching) return
    this.fetching = true
    const file = await fetch(this.image.src)
    this.bitmap = await createImageBitmap(await file.blob()).catch(() => null)
    this.fetching = false
  }

  // RGBA of a window of the photo.
  window(left, top, width, height) {
    this.scratch ??= document.createElement("canvas").getContext("2d", { willReadFrequently: true })
    const { canvas } = this.scratch
    if (canvas.width < width) canvas.width = width
    if (canvas.height < height) canvas.height = height
    this.scratch.drawImage(this.bitmap, left, top, width, height, 0, 0, width, height)
    return this.scratch.getImageData(0, 0, width, height).data
  }
}
