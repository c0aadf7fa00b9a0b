// Unsaved changes, stored in the browser (IndexedDB) until the server has acknowledged them: every
// step as it is made, so that a reload, a crash or a page switch loses nothing. The initial mask is
// stored with them, so that the expert can continue even if the server sends another one.

import { soundRuns } from "./labels.mjs"

const NAME = "rustseg-canvas"
const MOST_CASES = 24
const MOST_KEPT = 64e6
const STORES = ["heads", "steps", "saves", "bases"]

const result = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result)
  request.onerror = () => reject(request.error)
})
const stepsOf = (key, from = 0) => IDBKeyRange.bound([key, from], [key, Infinity])

class Elsewhere extends Error {} // another tab has taken over this photo

export class Drafts {
  // trouble(kind) is called if changes cannot be stored: "full", "elsewhere" or "closed".
  constructor(trouble) {
    this.trouble = trouble
    this.queue = Promise.resolve()
    this.db = null
  }

  // Load the draft of a case, or null. This tab takes it over.
  load(key, tab, pixels) {
    return this.#run(async (tx) => {
      const head = await result(tx.objectStore("heads").get(key))
      if (!head) return null
      const steps = await result(tx.objectStore("steps").getAll(stepsOf(key)))
      const save = await result(tx.objectStore("saves").get(key))
      if (!sound(head, steps, pixels)) {
        await this.#remove(tx, key)
        return { damaged: true }
      }
      tx.objectStore("heads").put({ ...head, tab })
      return { head, steps, save: save?.save ?? null }
    })
  }

  // The newest draft of a photo that began from another mask, with that mask, or null.
  earlier(photo, key) {
    return this.#run(async (tx) => {
      const range = IDBKeyRange.bound(`${photo}|`, `${photo}|\uffff`)
      const heads = await result(tx.objectStore("heads").getAll(range))
      heads.sort((a, b) => b.when - a.when)
      for (const head of heads) {
        const save = await result(tx.objectStore("saves").get(head.key))
        if (head.key === key || !(head.cursor || save?.save)) continue
        const kept = await result(tx.objectStore("bases").get(head.key))
        if (kept) return { key: head.key, when: head.when, base: kept.base, files: kept.files }
      }
      return null
    })
  }

  // Store a step; it replaces all later ones.
  step(head, n, { op, runs }) {
    return this.#run(async (tx) => {
      await this.#own(tx, head)
      const steps = tx.objectStore("steps")
      steps.delete(stepsOf(head.key, n))
      steps.put({ key: head.key, n, op, runs })
      this.#put(tx, head)
    }, head.key)
  }

  // Steps were undone or redone, or a save is pending (save: undefined leaves it unchanged).
  head(head, save) {
    return this.#run(async (tx) => {
      await this.#own(tx, head)
      this.#put(tx, head)
      if (save !== undefined) tx.objectStore("saves").put({ key: head.key, save })
    }, head.key)
  }

  // A save was acknowledged: delete its steps, and store later ones under the new key.
  saved(oldKey, head, steps) {
    return this.#run(async (tx) => {
      await this.#remove(tx, oldKey)
      if (!steps.length) return
      this.#begin(tx, head)
      steps.forEach(({ op, runs }, n) => tx.objectStore("steps").put({ key: head.key, n, op, runs }))
    })
  }

  // A save sent by another page, or by an earlier load of this one, was acknowledged.
  forget(nonce) {
    return this.#run(async (tx) => {
      const saves = await result(tx.objectStore("saves").getAll())
      for (const { key, save } of saves) {
        if (save?.payload.nonce !== nonce) continue
        const head = await result(tx.objectStore("heads").get(key))
        if (!head || head.cursor === save.cursor) await this.#remove(tx, key)
      }
    })
  }

  clear(key) {
    return this.#run((tx) => this.#remove(tx, key))
  }

  // Run one operation at a time, each in a transaction; if the storage is full, make room and retry.
  #run(work, keep) {
    const attempt = async (again) => {
      try {
        this.db ??= await open()
        const tx = this.db.transaction(STORES, "readwrite")
        const done = new Promise((resolve, reject) => {
          tx.oncomplete = resolve
          tx.onabort = () => reject(tx.error)
        })
        done.catch(() => {}) // reported below, if work() did not fail before
        const value = await work(tx)
        await done
        return value
      } catch (error) {
        if (error instanceof Elsewhere) this.trouble("elsewhere")
        else if (again && error?.name === "QuotaExceededError" && (await this.#trim(keep, 0))) {
          return attempt(false)
        } else if (again && error?.name === "InvalidStateError") {
          this.db = null // the browser closed it
          return attempt(false)
        } else this.trouble(error?.name === "QuotaExceededError" ? "full" : "closed")
        return null
      }
    }
    this.queue = this.queue.then(() => attempt(true))
    return this.queue
  }

  async #own(tx, head) {
    const kept = await result(tx.objectStore("heads").get(head.key))
    if (kept && kept.tab !== head.tab) {
      tx.abort()
      throw new Elsewhere()
    }
    if (kept) return
    this.#begin(tx, head)
    this.queue.then(() => this.#trim(head.key))
  }

  #begin(tx, head) {
    const { key, base, files } = head
    tx.objectStore("bases").put({ key, base, files })
    this.#put(tx, head)
  }

  #put(tx, { files, ...head }) {
    tx.objectStore("heads").put(head)
  }

  async #remove(tx, key) {
    tx.objectStore("heads").delete(key)
    tx.objectStore("saves").delete(key)
    tx.objectStore("bases").delete(key)
    tx.objectStore("steps").delete(stepsOf(key))
  }

  // Delete the oldest other cases; returns whether any were deleted.
  async #trim(keep, mostCases = MOST_CASES) {
    try {
      const tx = this.db.transaction(STORES, "readwrite")
      const heads = await result(tx.objectStore("heads").getAll())
      heads.sort((a, b) => b.when - a.when)
      let [cases, bytes, dropped] = [0, 0, false]
      for (const head of heads) {
        cases++
        bytes += head.bytes
        if (head.key === keep || (cases <= mostCases && bytes <= MOST_KEPT)) continue
        await this.#remove(tx, head.key)
        dropped = true
      }
      return dropped
    } catch {
      return false
    }
  }
}

function open() {
  const request = indexedDB.open(NAME, 2)
  request.onupgradeneeded = ({ oldVersion }) => {
    const db = request.result
    db.onversionchange = () => db.close()
    if (oldVersion < 1) {
      db.createObjectStore("heads", { keyPath: "key" })
      db.createObjectStore("saves", { keyPath: "key" })
      db.createObjectStore("steps", { keyPath: ["key", "n"] })
    }
    db.createObjectStore("bases", { keyPath: "key" })
  }
  return result(request)
}

function sound(head, steps, pixels) {
  return (
    Number.isInteger(head.cursor) && head.cursor >= 0 && head.cursor <= steps.length &&
    steps.every((step, i) => step.n === i && step.op?.op && soundRuns(step.runs, pixels))
  )
}
