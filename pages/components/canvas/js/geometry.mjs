// Position of the photo on the screen: scale (screen pixels per photo pixel) and corner (x, y).
// Only this file and its callers use screen pixels; everything else is in photo pixels.

const MOST = 40 // screen pixels per photo pixel
const KEEP = 60 // screen pixels of the photo that stay visible

export function fit(photo, stage) {
  const scale = Math.min(stage.width / photo.width, stage.height / photo.height, MOST)
  return centre(scale, photo, stage)
}

function centre(scale, photo, stage) {
  return {
    scale,
    x: (stage.width - photo.width * scale) / 2,
    y: (stage.height - photo.height * scale) / 2,
  }
}

// Zoom by a factor; the point of the photo under (x, y) stays there.
export function zoomAt(view, factor, x, y, photo, stage) {
  const least = Math.min(fit(photo, stage).scale, 1)
  const scale = Math.min(MOST, Math.max(least, view.scale * factor))
  const ratio = scale / view.scale
  const moved = { scale, x: x - (x - view.x) * ratio, y: y - (y - view.y) * ratio }
  return hold(moved, photo, stage)
}

// Keep the photo visible; centre it if it is smaller than the stage.
export function hold(view, photo, stage) {
  const one = (at, length, room) => {
    if (length <= room) return (room - length) / 2
    return Math.min(room - KEEP, Math.max(KEEP - length, at))
  }
  return {
    scale: view.scale,
    x: one(view.x, photo.width * view.scale, stage.width),
    y: one(view.y, photo.height * view.scale, stage.height),
  }
}

export const pixelAt = (view, x, y) => [
  Math.floor((x - view.x) / view.scale), Math.floor((y - view.y) / view.scale),
]
export const cornerAt = (view, x, y) => [
  Math.round((x - view.x) / view.scale), Math.round((y - view.y) / view.scale),
]

// Brush sizes change by about a seventh, at least one pixel, from 1 to LARGEST.
export const LARGEST = 1000
export function stepSize(size, up) {
  const step = Math.max(1, Math.round(size / 7))
  return Math.min(LARGEST, Math.max(1, size + (up ? step : -step)))
}

// Media addresses are relative to the page, also if the app is served under a path.
export function mediaUrl(url) {
  return url.startsWith("/") ? new URL(url.slice(1), document.baseURI).href : url
}
