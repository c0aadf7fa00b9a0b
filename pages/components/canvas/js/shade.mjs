// Colours of the mask on the screen. Pure arithmetic on arrays; colours are RGBA in the byte order of
// image data on every common processor (little-endian).

import { CLEAN, HAND, LABEL, RUST, UNSURE } from "./labels.mjs"

export const OUTSIDE = 255 // what sample() gives beyond the photo

const rgba = (r, g, b, a) => ((Math.round(a * 255) << 24) | (b << 16) | (g << 8) | r) >>> 0
const EDGE = rgba(235, 248, 255, 1) // nearly white: bright on rust, steel and shadow alike
const SHORE = rgba(0, 45, 95, 0.9) // just outside rust, so that the edge is visible on white, too
const LINE = rgba(255, 255, 255, 0.55) // between pieces
const STRIPES = [rgba(20, 20, 20, 0.6), rgba(245, 245, 245, 0.6)] // "can't tell" has no hue

// The label under each screen pixel: columns[i] and rows[j] are photo pixels, or -1 outside.
export function sample(plane, width, columns, rows, out) {
  let at = 0
  for (const y of rows) {
    const start = y * width
    for (const x of columns) out[at++] = x < 0 || y < 0 ? OUTSIDE : plane[start + x]
  }
}

// look: {opacity in [0, 1], filled, marks: show what was set by hand}
export function palette(look) {
  const colours = new Uint32Array(256)
  const fill = look.filled ? rgba(0, 140, 255, look.opacity) : 0
  colours[RUST] = fill
  colours[RUST | HAND] = look.marks ? rgba(0, 70, 190, 0.9) : fill
  colours[CLEAN | HAND] = look.marks ? rgba(255, 255, 255, 0.9) : 0
  return colours
}

// Colour the inner part of a sampled window, whose margin is `rim` wide; (left, top) is where it
// begins on the screen, counted from the photo's corner, so that stripes stay on the photo.
export function shade(window, width, height, rim, look, left, top, out) {
  const colours = palette(look)
  const stride = width + 2 * rim
  const solid = (label) => (look.marks ? label : label & LABEL)
  let at = 0
  for (let y = 0; y < height; y++) {
    let i = (y + rim) * stride + rim
    for (let x = 0; x < width; x++, i++, at++) {
      const here = window[i]
      if (here === OUTSIDE) {
        out[at] = 0
        continue
      }
      const own = solid(here)
      const near = [window[i - rim], window[i + rim], window[i - rim * stride], window[i + rim * stride]]
      let other = -1
      for (const label of near) {
        if (label !== OUTSIDE && solid(label) !== own && other !== RUST) other = label & LABEL
      }
      if ((here & LABEL) === UNSURE) {
        out[at] = other >= 0 ? STRIPES[0] : STRIPES[((left + x + top + y) >> 2) & 1]
      } else if (other < 0) out[at] = colours[here]
      else if ((here & LABEL) === RUST) out[at] = EDGE
      else if (other === RUST) out[at] = SHORE
      else out[at] = look.marks && here & HAND ? SHORE : colours[here]
    }
  }
}

// Draw the lines between superpixels over the output of shade(); the one under the pointer is lighter.
export function shadePieces(pieces, width, height, rim, lit, out) {
  const stride = width + 2 * rim
  let at = 0
  for (let y = 0; y < height; y++) {
    let i = (y + rim) * stride + rim
    for (let x = 0; x < width; x++, i++, at++) {
      const here = pieces[i]
      if (here < 0) continue
      if (here !== pieces[i - 1] || here !== pieces[i - stride]) out[at] = LINE
      else if (here === lit && !(out[at] >>> 24)) out[at] = rgba(255, 255, 255, 0.28)
    }
  }
}
