// The frames of one image, stacked on top of each other; playing them does not involve Python.

const PACE = 900 // milliseconds per frame
const timers = new WeakMap()

export default function (component) {
  const { data, parentElement, setStateValue } = component
  const root = parentElement
  const frames = root.querySelector(".frames")
  const range = root.querySelector("input")
  const button = root.querySelector("button")
  frames.style.aspectRatio = `${data.width} / ${data.height}`
  frames.style.setProperty("--ratio", data.width / data.height)
  while (frames.children.length < data.frames.length) {
    const image = document.createElement("img")
    image.decoding = "sync"
    frames.append(image)
  }
  while (frames.children.length > data.frames.length) frames.lastChild.remove()
  data.frames.forEach((frame, k) => {
    const image = frames.children[k]
    const url = place(frame.url)
    if (image.src !== url) image.src = url
    image.alt = frame.alt
  })
  range.max = data.frames.length - 1
  range.setAttribute("aria-label", data.label)

  const show = (k) => {
    const at = Math.min(Math.max(0, k), data.frames.length - 1)
    range.value = at
    range.setAttribute("aria-valuetext", data.frames[at].label)
    root.querySelector("figcaption").textContent = data.frames[at].label
    for (const [j, image] of [...frames.children].entries()) image.classList.toggle("on", j === at)
    return at
  }
  const name = (playing) => {
    button.querySelector(".word").textContent = playing ? "Stop" : "Play"
    button.querySelector(".sign").textContent = playing ? "❚❚" : "▶"
  }
  const stop = (tell) => {
    clearInterval(timers.get(frames))
    timers.delete(frames)
    name(false)
    if (!tell) return
    frames.dataset.told = range.value
    setStateValue("frame", Number(range.value))
  }
  // Use Python's frame if it is new (another address), not if it repeats what was sent to it.
  const news = frames.dataset.key !== data.key || frames.dataset.start !== String(data.start)
  if (frames.dataset.key !== data.key) {
    stop(false)
    delete frames.dataset.told
  }
  frames.dataset.key = data.key
  frames.dataset.start = data.start
  const echo = frames.dataset.told === String(data.start)
  show(news && !echo && !timers.has(frames) ? data.start : Number(range.value))
  if (news) delete frames.dataset.told
  name(timers.has(frames))

  range.oninput = () => {
    stop(false)
    show(Number(range.value))
  }
  range.onchange = () => stop(true)
  button.onclick = () => {
    if (timers.has(frames)) return stop(true)
    const last = data.frames.length - 1
    let at = show(Number(range.value) === last ? 0 : Number(range.value))
    name(true)
    timers.set(frames, setInterval(() => {
      at = show(at + 1)
      if (at === last) stop(true)
    }, PACE))
  }
  return () => clearInterval(timers.get(frames))
}

function place(url) {
  return url.startsWith("/") ? new URL(url.slice(1), document.baseURI).href : url
}
