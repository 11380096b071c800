import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Folder from "../src/Folder.js"

const temporary = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "reckon-folder-"))),
  made => Effect.sync(() => fs.rmSync(made, { recursive: true, force: true }))
)

describe("a folder that is made", () => {
  it.scoped("is there, with those above it, and stays as it is where it was there before", () =>
    Effect.gen(function* () {
      const place = path.join(yield* temporary, "a", "b", "c")
      Folder.make(place)
      fs.writeFileSync(path.join(place, "kept"), "")
      Folder.make(place)
      Folder.make(path.relative(process.cwd(), place))
      assert.deepStrictEqual(fs.readdirSync(place), ["kept"])
    })
  )

  it.scoped("can be entered by its owner alone, and one that was there before as it could", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      const open = path.join(folder, "open")
      fs.mkdirSync(open)
      fs.chmodSync(open, 0o755)
      Folder.make(path.join(open, "a", "b"))
      const modes = ["open", "open/a", "open/a/b"].map(name => fs.statSync(path.join(folder, name)).mode & 0o777)
      assert.deepStrictEqual(modes, [0o755, 0o700, 0o700])
    })
  )

  it.scoped("is not the file that has its name or that of one above it", () =>
    Effect.gen(function* () {
      const file = path.join(yield* temporary, "file")
      fs.writeFileSync(file, "content")
      assert.throws(() => Folder.make(file), /EEXIST/)
      assert.throws(() => Folder.make(path.join(file, "a")), /ENOTDIR/)
      assert.throws(() => Folder.make(path.join(file, "a", "b")), /ENOTDIR/)
      assert.strictEqual(fs.readFileSync(file, "utf8"), "content")
    })
  )

  it.scoped("is found through a link, and not where a link leads nowhere", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      const real = path.join(folder, "real")
      const link = path.join(folder, "link")
      const broken = path.join(folder, "broken")
      fs.mkdirSync(real)
      fs.symlinkSync(real, link)
      fs.symlinkSync(path.join(folder, "nowhere"), broken)
      Folder.make(path.join(link, "a"))
      assert.isTrue(fs.existsSync(path.join(real, "a")))
      assert.throws(() => Folder.make(path.join(broken, "a")), /EEXIST/)
    })
  )
})
