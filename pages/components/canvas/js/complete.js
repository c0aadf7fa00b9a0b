// Completion: sends everything that was set by hand to Python, and which of it are scribbles. The
// CRF spreads scribbles; the rest stays unchanged. The answer becomes a step in the history.

import { packMask, toBase64, unpackMask } from "./bits.mjs"
import { changeOp } from "./history.mjs"
import { CLEAN, HAND, LABEL, RUST } from "./labels.mjs"
import { bytesOf } from "./load.js"
import { newNonce } from "./saver.mjs"

const ANSWER = 45 // seconds to wait for a completion

export class Completion {
  constructor(app) {
    this.app = app
    this.asked = null // {nonce, taken} of the pending request
  }

  ask() {
    const { app } = this
    if (app.busy || this.asked || app.readonly) return
    const { plane } = app.labels
    const { width, height } = app.photo
    const pack = (label) => packMask(plane, width, height, label | HAND, LABEL | HAND)
    app.whileBusy(async () => {
      const nonce = newNonce()
      const [rust, clean] = [await pack(RUST), await pack(CLEAN)]
      const mask = await packMask(plane, width, height, RUST, LABEL)
      const spread = app.history.scribbled()
      const scribbles = spread && (await packMask(spread, width, height, 1, 1))
      if (!plane.some((byte) => byte === (RUST | HAND) || byte === (CLEAN | HAND))) {
        return app.say("Mark a little rust or clean area first.")
      }
      this.asked = { nonce }
      app.send("ask", {
        nonce, case: app.photoCase, width, height, kind: "crf",
        mask: toBase64(mask.packed), rust: toBase64(rust.packed), clean: toBase64(clean.packed),
        ...(scribbles ? { scribbled: toBase64(scribbles.packed) } : {}),
      })
      this.patience = setTimeout(() => {
        this.asked = null
        app.say("The server did not answer; try again.")
      }, ANSWER * 1000)
    })
  }

  async take({ nonce, mask, words, boxes }) {
    if (this.asked?.nonce !== nonce || this.asked.taken) return
    const { app } = this
    this.asked.taken = true
    clearTimeout(this.patience)
    await app.idle()
    await app.whileBusy(async () => {
      const runs = []
      try {
        const { width, height } = app.photo
        await unpackMask(await bytesOf(mask), width, height, (y, row) => app.labels.completeRow(y, row, runs))
      } catch {
        app.labels.toggle(runs)
        this.asked = null
        return app.say("The completion could not be loaded; try again.")
      }
      this.asked = null
      app.stage.drawAll()
      app.commit(changeOp("crf", runs), runs)
      app.say(words, boxes)
    })
  }
}
