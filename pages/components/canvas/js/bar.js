// Buttons, sliders, status texts, tooltips and the list of keyboard shortcuts.

import { LARGEST, mediaUrl } from "./geometry.mjs"

const KEYS = [
  ["Tools", [["B", "Brush"], ["E", "Eraser"], ["S", "Smart brush: stops where the colour changes"],
    ["O", "Outline: draw around an area or click its corners"], ["F", "Patch: fill a hole or remove a patch"],
    ["P", "Superpixels: areas of similar colour"], ["C", "Scribble; Enter completes the rest"]]],
  ["Paint as", [["1", "Rust"], ["2", "Clean"], ["3", "Can't tell"], ["X", "Switch rust and clean"],
    ["Alt + drag, right button", "Paint the opposite"]]],
  ["Brush", [["[ ]", "Smaller, larger"], ["; '", "Less, more tolerance"],
    ["Shift + click", "Straight line from the last point"],
    ["Arrows, Enter", "Paint with the keyboard; Shift moves faster"]]],
  ["Outline", [["Enter, double click", "Close"], ["Backspace", "Remove the last corner"], ["Esc", "Cancel"]]],
  ["Edit", [["Ctrl Z", "Undo"], ["Ctrl Y, Ctrl Shift Z", "Redo"], ["Ctrl S", "Save"]]],
  ["View", [["H (hold)", "Hide the mask"], ["V", "Fill or outline only"], [", .", "Decrease, increase opacity"],
    ["U", "Next layer under the mask"], ["Space + drag", "Move the photo"], ["Ctrl + wheel, + -", "Zoom"],
    ["0", "Fit the whole photo"], ["9", "Zoom to 100 %"], ["Z", "Full screen"], ["?", "This list"]]],
  ["Touch", [["One finger, pen", "Paint"], ["Two fingers", "Move and zoom"]]],
]

const HINTS = {
  outline: "Draw around an area, or click corners and press Enter",
  patch: "Click a hole to fill it, or a patch to remove it",
  superpixel: "Click or drag to mark areas; click again to unmark",
  scribble: "Mark a little rust and a little clean, then press Complete",
}

export class Bar {
  constructor(root) {
    this.root = root
    this.all = (selector) => [...root.querySelectorAll(selector)]
    this.one = (selector) => root.querySelector(selector)
    for (const button of this.all("[data-do]")) {
      button.onclick = () => this.press(button.dataset.do)
    }
    for (const button of this.all("[data-tool]")) button.onclick = () => this.app?.choose(button.dataset.tool)
    for (const button of this.all("[data-value]")) {
      button.onclick = () => this.app?.paintAs(Number(button.dataset.value))
    }
    this.#values()
    this.#sliders()
    this.#holdToHide()
    this.#tips()
    this.#help()
    document.addEventListener("fullscreenchange", (this.onfull = () => this.refresh()))
  }

  stop() {
    document.removeEventListener("fullscreenchange", this.onfull)
  }

  use(app, data) {
    this.app = app
    this.data = data
    app.bar = this
    const select = this.one("[name=underlay]")
    const names = { none: "Photo only", ...Object.fromEntries(data.underlays.map((u) => [u.name, u.name])) }
    const listed = [...select.options].map((option) => option.value).join()
    if (listed !== Object.keys(names).join()) select.replaceChildren(...Object.entries(names).map(([value, text]) => new Option(text, value)))
    select.value = app.settings.under in names ? app.settings.under : "none"
    select.hidden = !data.underlays.length
    this.#showUnder()
  }

  press(what) {
    const { app } = this
    if (!app) return
    const { stage, look } = app
    const acts = {
      undo: () => app.undo(), redo: () => app.redo(),
      save: () => app.canSave && app.work.save(), retry: () => app.work.saver.retry(),
      discard: () => app.discard(), other: () => this.#other(), drop: () => app.work.drop(), complete: () => app.completion.ask(),
      in: () => stage.zoom(1.4), out: () => stage.zoom(1 / 1.4), fit: () => stage.fit(),
      one: () => stage.zoom(1 / stage.view.scale / stage.density),
      style: () => app.setLook({ filled: !look.filled }),
      help: () => this.one("dialog").showModal(), full: () => this.#full(), hide: () => {},
    }
    acts[what]()
  }

  nudge(name, by) {
    const slider = this.one(`[name=${name}]`)
    slider.value = Number(slider.value) + by
    slider.oninput()
  }

  nextUnder() {
    const select = this.one("[name=underlay]")
    select.selectedIndex = (select.selectedIndex + 1) % select.options.length
    select.onchange()
  }

  #values() {
    const buttons = this.all("[data-value]")
    this.one(".values").onkeydown = (event) => {
      const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key]
      if (!by) return
      event.preventDefault()
      event.stopPropagation()
      const open = buttons.filter((button) => !button.disabled)
      const next = open[(open.indexOf(event.target) + by + open.length) % open.length]
      next.focus()
      next.click()
    }
  }

  // The size slider is logarithmic: 100 steps from 1 to LARGEST.
  #sliders() {
    this.one("[name=size]").oninput = (event) => {
      this.app.size = LARGEST ** (Number(event.target.value) / 100)
    }
    const tolerance = this.one("[name=tolerance]")
    tolerance.oninput = () => {
      this.app.settings.tolerance = Number(tolerance.value)
      this.refresh()
    }
    const opacity = this.one("[name=opacity]")
    opacity.oninput = () => this.app.setLook({ opacity: Number(opacity.value) / 100 })
    this.one("[name=underlay]").onchange = () => this.#showUnder()
  }

  #showUnder() {
    const select = this.one("[name=underlay]")
    this.app.settings.under = select.value
    const chosen = this.data.underlays.find((u) => u.name === select.value)
    const image = this.one(".under")
    image.hidden = !chosen
    if (chosen) image.src = mediaUrl(chosen.url)
  }

  #holdToHide() {
    const button = this.one("[data-do=hide]")
    const set = (hidden) => () => this.app?.hide(hidden)
    button.onpointerdown = set(true)
    button.onpointerup = button.onpointerleave = button.onpointercancel = button.onblur = set(false)
    button.onkeydown = (event) => { // returns nothing: false would block Tab
      if ([" ", "Enter"].includes(event.key)) this.app?.hide(true)
    }
    button.onkeyup = set(false)
  }

  // Switch to the mask with other unsaved work; from an earlier mask without any, to the server's.
  #other() {
    const { other } = this.app.work
    this.app.turnTo(other?.base === this.data.base ? null : other)
  }

  #full() {
    if (document.fullscreenElement) document.exitFullscreen()
    else this.root.requestFullscreen?.()
  }

  #tips() {
    const tip = this.one(".tip")
    const show = (element) => {
      const { tip: text, key } = element.dataset
      tip.querySelector("span").textContent = text
      tip.querySelector("kbd").textContent = key ?? ""
      tip.hidden = false
      const [box, all] = [element.getBoundingClientRect(), this.root.getBoundingClientRect()]
      const left = box.left - all.left + box.width / 2 - tip.offsetWidth / 2
      const below = box.bottom - all.top + 6
      const room = below + tip.offsetHeight < all.height
      tip.style.left = `${Math.max(4, Math.min(all.width - tip.offsetWidth - 4, left))}px`
      tip.style.top = `${room ? below : box.top - all.top - tip.offsetHeight - 6}px`
    }
    for (const element of this.all("[data-tip]")) {
      const control = element.matches("label") ? element.querySelector("input") : element
      if (!control.getAttribute("aria-label")) {
        const words = element.textContent.trim()
        if (!words || element.matches("label")) control.setAttribute("aria-label", element.dataset.tip)
      }
      if (element.dataset.key) control.setAttribute("aria-keyshortcuts", element.dataset.key)
      let wait = 0
      element.onpointerenter = (event) => {
        if (event.pointerType === "mouse") wait = setTimeout(show, 350, element)
      }
      element.addEventListener("focusin", () => control.matches(":focus-visible") && show(element))
      const hide = () => {
        clearTimeout(wait)
        tip.hidden = true
      }
      for (const name of ["pointerleave", "focusout", "click"]) element.addEventListener(name, hide)
    }
  }

  #help() {
    const keys = this.one(".keys")
    keys.replaceChildren(...KEYS.map(([title, rows]) => {
      const section = make("section", make("h3", title))
      const list = make("dl")
      for (const [key, words] of rows) list.append(make("dt", make("kbd", key)), make("dd", words))
      section.append(list)
      return section
    }))
    const dialog = this.one("dialog")
    dialog.onclick = (event) => event.target === dialog && dialog.close()
    dialog.onclose = () => this.one(".stage").focus({ preventScroll: true })
  }

  // Update everything that can change from the state of the app.
  refresh() {
    const { app } = this
    if (!app) return
    const { settings, history, work } = app
    this.root.classList.toggle("reading", app.readonly)
    for (const b of this.all("[data-tool]")) {
      b.setAttribute("aria-pressed", b.dataset.tool === settings.tool)
      b.hidden = app.readonly || (b.dataset.tool === "superpixel" && !this.data.pieces)
    }
    for (const b of this.all("[data-value]")) {
      const value = Number(b.dataset.value)
      b.setAttribute("aria-checked", value === app.value)
      b.tabIndex = value === app.value ? 0 : -1
      b.disabled = value === 2 && settings.tool === "scribble"
    }
    const round = ["brush", "eraser", "smart", "scribble"].includes(settings.tool)
    const hide = (selector, hidden) => (this.one(selector).hidden = hidden)
    hide(".values", app.readonly)
    hide(".size", !round || app.readonly)
    hide(".tolerance", settings.tool !== "smart" || app.readonly)
    hide(".complete", settings.tool !== "scribble" || app.readonly)
    hide("[data-do=full]", !this.root.requestFullscreen)
    for (const name of ["undo", "redo", "save"]) hide(`[data-do=${name}]`, app.readonly || (name === "save" && !app.canSave))
    this.one("[data-do=undo]").disabled = !history.canUndo && !app.stage.outline.length
    this.one("[data-do=redo]").disabled = !history.canRedo
    this.one("[data-do=save]").disabled = work.saver.state === "saving"
    const complete = this.one(".complete")
    complete.disabled = app.busy || Boolean(app.completion.asked)
    complete.textContent = app.completion.asked ? "Completing …" : "Complete"
    this.one(".hint").textContent = app.readonly ? "" : (HINTS[settings.tool] ?? "")
    this.#showSliders()
    this.#showWords()
  }

  #showSliders() {
    const { app } = this
    const size = this.one("[name=size]")
    size.value = Math.round((100 * Math.log(app.size)) / Math.log(LARGEST))
    size.setAttribute("aria-valuetext", `${app.size} pixels`)
    this.one(".size output").textContent = `${app.size} px`
    this.one("[name=tolerance]").value = app.settings.tolerance
    this.one(".tolerance output").textContent = app.settings.tolerance
    this.one("[name=opacity]").value = Math.round(100 * app.look.opacity)
    this.one("[data-do=style]").setAttribute("aria-pressed", !app.look.filled)
  }

  #showWords() {
    const { app } = this
    const note = this.one(".note")
    note.textContent = app.message
    note.hidden = !app.message
    this.one(".loading").hidden = !app.busy || app.failed || app.stage.labels !== null
    this.liveArea()
    const { state, text, retry, discard } = app.work.words
    this.one(".saved").dataset.state = state
    this.one(".saved span").textContent = text
    this.#showOffer(app.work.offer)
    this.one("[data-do=retry]").hidden = !retry
    this.one("[data-do=discard]").hidden = !discard
  }

  #showOffer(offer) {
    this.one(".offer").hidden = !offer
    if (!offer) return
    this.one(".offer span").textContent = offer.text
    this.one("[data-do=other]").hidden = !offer.go
    this.one("[data-do=other]").textContent = offer.go ?? ""
    this.one("[data-do=drop]").hidden = !offer.drop
  }

  // Update only the area, during a stroke.
  liveArea() {
    const { app, data } = this
    const grade = (share) => data.grades.find(([most]) => share <= most)?.[1]
    const [now, before] = [grade(app.share), grade(app.before ?? 0)]
    this.one(".area .now").textContent = `Rust ${percent(app.share)}${now ? `, ${now}` : ""}`
    const was = `before ${percent(app.before ?? 0)}${now !== before ? `, ${before}` : ""}`
    this.one(".area .was").textContent = app.before === undefined || app.share === app.before ? "" : was
    this.one(".area .unsure").textContent = app.unsure ? `can't tell ${percent(app.unsure)}` : ""
  }
}

function make(name, ...children) {
  const element = document.createElement(name)
  element.append(...children)
  return element
}

// Never rounds to 0 or 100.
function percent(share) {
  if (share > 0 && share < 0.00005) return "< 0.01\u00a0%"
  if (share < 1 && share > 0.99995) return "> 99.99\u00a0%"
  return `${(100 * share).toFixed(2)}\u00a0%`
}
