// Saving: drafts in this browser, saves to the server, and the server's answers.

import { deflateText, fromBase64, nameOf, packMask, toBase64 } from "./bits.mjs"
import { Drafts } from "./drafts.mjs"
import { LABEL, RUST, UNSURE, HAND } from "./labels.mjs"
import { renewFiles, renewPayload } from "./renew.js"
import { Clock, newNonce, packStrokes, Saver } from "./saver.mjs"

const TAB = newNonce() // new at each load of the page
const TROUBLE = {
  full: "This browser's storage is full: unsaved changes will be lost when you reload.",
  closed: "This browser does not store data here: unsaved changes will be lost when you reload.",
  elsewhere: "This photo is also open in another tab, which holds the unsaved changes. Close one of the tabs.",
}
// For drafts of an earlier version, in a browser that alters the pixels of images.
const UNSENT = "An unfinished save could not be sent again; save once more."
const UNREADABLE = "They were stored by an earlier version of this page, and this browser cannot read them."

export class Work {
  constructor(app) {
    this.app = app
    this.trouble = ""
    this.savedOnce = false
    this.other = null // unsaved work on another mask
    this.again = false // Save was pressed while an earlier save was pending
    this.clock = new Clock()
    this.drafts = new Drafts((kind) => {
      this.trouble = TROUBLE[kind]
      app.refresh()
    })
    this.saver = new Saver({
      send: (payload) => app.send("save", payload),
      changed: () => app.refresh(),
    })
    this.guard = (event) => {
      if (this.unsaved) event.preventDefault()
    }
    window.addEventListener("beforeunload", this.guard)
  }

  stop() {
    window.removeEventListener("beforeunload", this.guard)
    this.saver.stop()
  }

  get changed() {
    return this.app.history.cursor > 0
  }

  get unsaved() {
    return !this.app.readonly && (this.changed || this.saver.pending !== null)
  }

  get #head() {
    const { app } = this
    const { steps, cursor, undos } = app.history
    const { base, files } = app
    const bytes = steps.reduce((sum, step) => sum + 4 * step.runs.length + 200, files.mask.length)
    return {
      key: `${app.photoCase}|${base}`, tab: TAB, when: Date.now(), cursor, undos, bytes, base, files,
      seconds: this.clock.seconds,
    }
  }

  // Restore unsaved changes. Returns a message for the expert, or "".
  async restore() {
    const { app } = this
    const pixels = app.photo.width * app.photo.height
    const kept = await this.drafts.load(this.#head.key, TAB, pixels)
    if (!kept) return ""
    if (kept.damaged) return "Unsaved changes of this photo were damaged and could not be restored."
    const { head, steps, save } = kept
    app.history.restore(steps, head.cursor, head.undos)
    this.clock.seconds = head.seconds
    const back = head.cursor ? `Unsaved changes of ${timeOf(head.when)} restored.` : ""
    if (!save) return back
    const payload = await renewPayload(save.payload).catch(() => null)
    if (!payload) return `${back} ${UNSENT}`.trim()
    this.saver.submit(payload, save.cursor)
    return back
  }

  // Look for unsaved changes to another mask of this photo, to offer them. They stay stored until
  // the expert discards them.
  async look() {
    const { app } = this
    this.other = app.offers || app.earlier ? await this.drafts.earlier(app.photoCase, this.#head.key) : null
    const { files, base } = this.other ?? {}
    if (files) this.other.files = await renewFiles(files, base).catch(() => null)
    app.refresh()
  }

  async drop() {
    const { key } = this.other
    this.other = null
    await this.drafts.clear(key)
    return this.look()
  }

  // Message and buttons about another mask: {text, go, drop}, or null.
  get offer() {
    const { app, other } = this
    if (other) {
      const which = app.earlier ? "to the newer mask" : "to an earlier mask"
      const text = `You have unsaved changes ${which}, of ${timeOf(other.when)}.`
      if (!other.files) return { text: `${text} ${UNREADABLE}`, drop: true }
      return { text, go: "Continue with them", drop: true }
    }
    if (!app.earlier || this.savedOnce) return null
    return { text: "These are your changes to an earlier mask.", go: "Go to the newer mask" }
  }

  done(step) {
    this.drafts.step(this.#head, this.app.history.cursor - 1, step)
  }

  moved() {
    if (this.unsaved) this.drafts.head(this.#head)
    else this.drafts.clear(this.#head.key)
  }

  async save() {
    if (this.saver.state === "refused") this.saver.stop() // a new save replaces it
    if (this.saver.pending) {
      this.again = this.changed
      return this.saver.retry()
    }
    const { app } = this
    if (this.saving) return undefined
    this.saving = true
    await app.idle()
    this.saving = false
    const { history, photo, labels } = app
    const cursor = history.cursor
    const strokes = history.record()
    const { base, photoCase } = app
    const plane = labels.plane.slice() // painting may continue meanwhile
    const mask = await packMask(plane, photo.width, photo.height, RUST, LABEL)
    const ignore = await packMask(plane, photo.width, photo.height, UNSURE, LABEL)
    const payload = {
      nonce: newNonce(), case: photoCase, base, width: photo.width, height: photo.height,
      mask: toBase64(mask.packed),
      ignore: plane.includes(UNSURE) || plane.includes(UNSURE | HAND) ? toBase64(ignore.packed) : null,
      strokes: toBase64(await packStrokes(strokes, deflateText)),
      seconds: Math.round(10 * this.clock.seconds) / 10,
      undos: history.undos,
      now: nameOf(mask.crc, ignore.crc, photo),
    }
    if (app.stopped) return undefined
    this.saver.submit(payload, cursor)
    return this.drafts.head(this.#head, { payload, cursor })
  }

  // The server has stored a save: its content is the new start of the history.
  acknowledge(nonce) {
    const done = this.saver.acknowledge(nonce)
    if (!done) {
      if (nonce !== this.heard) this.drafts.forget(nonce)
      this.heard = nonce
      return
    }
    const oldKey = this.#head.key
    this.app.history.rebase(done.cursor)
    const { now, mask, ignore } = done.payload
    this.app.base = now
    this.app.files = { mask: fromBase64(mask), ignore: ignore && fromBase64(ignore) }
    this.savedOnce = true
    this.drafts.saved(oldKey, this.#head, this.changed ? this.app.history.steps : [])
    if (this.again && this.changed) this.save()
    this.again = false
    this.app.refresh()
  }

  // {state, text, retry, discard} for the status line.
  get words() {
    const { saver } = this
    if (this.app.readonly) return { state: "none", text: "Read-only" }
    if (saver.state === "refused") {
      return { state: "late", text: `Not saved: ${saver.why}`, retry: true }
    }
    if (saver.state === "late") {
      const text = "Not saved yet: the server does not answer. Trying again; your changes are stored in this browser."
      return { state: "late", text, retry: true }
    }
    if (saver.state === "saving") return { state: "saving", text: "Saving …" }
    if (this.trouble) return { state: "late", text: this.trouble }
    if (!this.app.canSave) return { state: "none", text: "Demo: changes cannot be saved" }
    if (this.changed) return { state: "changed", text: "Not saved; stored in this browser", discard: true }
    if (this.savedOnce) return { state: "saved", text: "Saved" }
    return { state: "none", text: "No changes" }
  }
}

const timeOf = (when) => new Date(when).toLocaleString([], { dateStyle: "short", timeStyle: "short" })
