// Entry point: Streamlit calls this at every run of the script and whenever the theme changes.

import { App } from "./app.js"
import { Bar } from "./bar.js"
import { Input } from "./input.js"

const places = new WeakMap() // where it is mounted -> {bar, app, input}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const root = parentElement.querySelector(".app")
  let place = places.get(parentElement)
  if (!place) {
    place = { bar: new Bar(root), app: null, input: null, send: null }
    places.set(parentElement, place)
  }
  Object.assign(place, { send: setTriggerValue, data })
  answer(place.app, data)
  if (!place.app || place.app.failed || isAnother(place.app, data)) begin(root, place, data)
  const { app } = place
  app.seenBase = data.base
  use(place, data)
  if (data.suggestion) app.completion.take(data.suggestion)
  return () => {
    place.app.stop()
    place.input.stop()
    place.bar.stop()
    places.delete(parentElement)
  }
}

// Whether the photo changed, or the mask differs from both the last one sent and the last one saved.
function isAnother(app, data) {
  const news = data.base !== app.seenBase && data.base !== app.base
  return app.photoCase !== data.case || news
}

function begin(root, place, data, earlier = null) {
  place.app?.stop()
  place.input?.stop()
  const app = new App(root, data, {
    send: (name, payload) => place.send(name, payload),
    refresh: () => place.app === app && place.bar.refresh(),
    turnTo: (other) => {
      begin(root, place, place.data, other)
      use(place, place.data)
    },
    earlier,
  })
  place.app = app
  app.seenBase = data.base
  app.readonly = data.readonly
  place.input = app.input = new Input(app)
  app.open(data).then(() => answer(app, data)).catch((error) => {
    console.warn("canvas:", error)
    app.failed = true
    app.say("The mask cannot be loaded; reload the page.")
  })
}

function use({ app, bar }, data) {
  app.readonly = data.readonly
  app.canSave = data.canSave && !data.readonly
  app.offers = data.offers
  bar.use(app, data)
  bar.refresh()
}

// Handle the server's answer to a save. A stored save is acknowledged however late the answer comes.
function answer(app, data) {
  if (!app) return
  if (data.saved) app.work.acknowledge(data.saved)
  if (data.refused) app.work.saver.refuse(...data.refused)
}
