// Unpacks masks that Python packed, packs them again and names them, for Python to compare:
// node repack.mjs INPUT.json, [{width, height, mask: base64}, ...].

import { readFileSync } from "node:fs"
import { crc32, fromBase64, nameOf, packMask, toBase64, unpackMask } from "../../../../pages/components/canvas/js/bits.mjs"
import { LABEL, Labels, RUST } from "../../../../pages/components/canvas/js/labels.mjs"

const packed = []
for (const { width, height, mask } of JSON.parse(readFileSync(process.argv[2], "utf8"))) {
  const labels = new Labels(width, height)
  await unpackMask(fromBase64(mask), width, height, (y, row) => labels.completeRow(y, row, []))
  const rust = await packMask(labels.plane, width, height, RUST, LABEL)
  const none = crc32(new Uint8Array(height * ((width + 7) >> 3)))
  packed.push({ mask: toBase64(rust.packed), name: nameOf(rust.crc, none, { width, height }) })
}
console.log(JSON.stringify(packed))
