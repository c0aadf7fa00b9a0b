// Steps in a row. A click requests the step from Python; each is a link, so that it can be copied.

export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const nav = parentElement.querySelector("nav")
  const list = nav.querySelector("ol")
  nav.setAttribute("aria-label", data.label)
  list.classList.toggle("plain", !data.items.some((item) => item.url || item.sign))
  while (list.children.length < data.items.length) list.append(made())
  while (list.children.length > data.items.length) list.lastChild.remove()
  data.items.forEach((item, k) => {
    const link = list.children[k].firstChild
    const image = link.querySelector("img")
    link.href = new URL(`?${item.href}`, location.href).href
    link.querySelector(".number").textContent = k + 1
    link.querySelector(".title").textContent = item.title
    const sign = link.querySelector(".sign")
    image.hidden = !item.url
    sign.hidden = Boolean(item.url) || !item.sign
    sign.textContent = item.sign
    const url = item.url ? place(item.url) : ""
    if (url && image.src !== url) image.src = url
    const here = item.name === data.current
    if (here) link.setAttribute("aria-current", "step")
    else link.removeAttribute("aria-current")
    link.onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return
      event.preventDefault()
      if (!here) setTriggerValue("step", item.name)
    }
    if (here) show(list, list.children[k])
  })
}

function made() {
  const item = document.createElement("li")
  item.innerHTML =
    '<a><img alt="" decoding="async"><span class="sign" aria-hidden="true"></span><span class="words"><span class="number"></span> ' +
    '<span class="title"></span></span></a>'
  return item
}

// Scrolls the row only, never the page.
function show(list, item) {
  const middle = item.offsetLeft - (list.clientWidth - item.clientWidth) / 2
  list.scrollTo({ left: middle, behavior: list.dataset.drawn ? "smooth" : "instant" })
  list.dataset.drawn = "1"
}

function place(url) {
  return url.startsWith("/") ? new URL(url.slice(1), document.baseURI).href : url
}
