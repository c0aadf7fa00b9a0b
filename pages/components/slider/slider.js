// Two images on top of each other with a divider. Moving it sends nothing to Python and causes no
// script run.

const SLACK = 6 // pixels that a finger may move before it drags or scrolls
const lefts = new Map() // key -> percent: restores the divider when it is shown again

export default function (component) {
  const { data, parentElement } = component
  const stage = parentElement.querySelector(".stage")
  const range = stage.querySelector("input")
  if (stage.dataset.key !== data.key) {
    stage.dataset.key = data.key
    stage.classList.remove("glide")
    begin(stage, range, data)
  }
  stage.style.setProperty("--ratio", data.width / data.height)
  show(stage.querySelector(".before"), data.before)
  show(stage.querySelector(".after"), data.after)
  range.setAttribute("aria-label", data.name)
  range.setAttribute("aria-valuetext", spoken(stage, range.value))
}

function show(layer, side) {
  const image = layer.querySelector("img")
  const url = place(side.url)
  // The old image stays until the new one is loaded; the same one is not fetched again.
  if (image.src !== url) image.src = url
  image.alt = side.alt
  layer.querySelector(".tag").textContent = side.label
  layer.dataset.label = side.label
}

// Media addresses are relative to the page, also if the app is served under a path.
function place(url) {
  return url.startsWith("/") ? new URL(url.slice(1), document.baseURI).href : url
}

function spoken(stage, percent) {
  const [before, after] = ["before", "after"].map(
    (side) => stage.querySelector(`.${side}`).dataset.label
  )
  return `${percent} % ${before}, ${100 - percent} % ${after}`
}

function begin(stage, range, data) {
  const move = (percent) => {
    const at = Math.min(100, Math.max(0, percent))
    lefts.set(data.key, at)
    stage.style.setProperty("--at", `${at}%`)
    range.value = Math.round(at)
    range.setAttribute("aria-valuetext", spoken(stage, range.value))
  }
  range.oninput = () => {
    stage.classList.add("glide")
    move(Number(range.value))
  }
  follow(stage, range, (event) => {
    const box = stage.getBoundingClientRect()
    move((100 * (event.clientX - box.left)) / box.width)
  })
  move(lefts.get(data.key) ?? data.start)
}

// A mouse moves the divider wherever it is pressed. A finger moves it after a sideways movement or a
// tap, because it may also scroll the page.
function follow(stage, range, moveTo) {
  let pressed = null // {id, x, dragging} of the active pointer
  stage.onpointerdown = (event) => {
    if (pressed || event.button !== 0) return
    const mouse = event.pointerType === "mouse"
    pressed = { id: event.pointerId, x: event.clientX, dragging: mouse }
    stage.setPointerCapture(event.pointerId)
    range.focus({ preventScroll: true })
    stage.classList.remove("glide")
    if (mouse) moveTo(event)
  }
  stage.onmousedown = (event) => event.preventDefault() // otherwise the range loses the focus
  stage.onpointermove = (event) => {
    if (event.pointerId !== pressed?.id) return
    pressed.dragging ||= Math.abs(event.clientX - pressed.x) > SLACK
    if (pressed.dragging) moveTo(event)
  }
  stage.onpointerup = (event) => {
    if (event.pointerId !== pressed?.id) return
    stage.classList.toggle("glide", !pressed.dragging)
    pressed = null
    moveTo(event)
  }
  stage.onpointercancel = stage.onlostpointercapture = (event) => {
    if (event.pointerId === pressed?.id) pressed = null // the browser scrolls the page
  }
}
