// Draws the strokes of a file as the canvas does and prints the labels, for Python to compare:
// node agree.mjs INPUT.json, {width, height, labels: [...], strokes: [...]}.

import { readFileSync } from "node:fs"
import { Labels, RUST, LABEL } from "../../../../pages/components/canvas/js/labels.mjs"
import { flood, path, polygon } from "../../../../pages/components/canvas/js/raster.mjs"

const cases = JSON.parse(readFileSync(process.argv[2], "utf8"))
const drawn = cases.map(({ width, height, labels: first, strokes }) => {
  const labels = new Labels(width, height)
  labels.plane.set(first)
  for (const stroke of strokes) {
    const { span } = labels.pen(stroke.value)
    if (stroke.op === "paint") path(stroke.points, stroke.d, width, height, span)
    if (stroke.op === "outline") polygon(stroke.points, width, height, span)
    if (stroke.op === "patch") {
      const own = labels.plane[stroke.y * width + stroke.x]
      const inside = (i) => (labels.plane[i] & LABEL) === own
      if (own !== stroke.value) {
        for (const _ of flood(stroke.x, stroke.y, own === RUST, inside, width, height, span));
      }
    }
  }
  return [...labels.plane]
})
console.log(JSON.stringify(drawn))
