import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const root = fileURLToPath(new URL(".", import.meta.url))

/** Tests run on the sources, not on the build, so that a failure points at the line that is wrong. */
const alias = [
  { find: /^@reckon\/(node|bench)$/, replacement: `${root}apps/$1/src/index.ts` },
  { find: /^@reckon\/([^/]+)$/, replacement: `${root}packages/$1/src/index.ts` },
  { find: /^@reckon\/([^/]+)\/(.+)$/, replacement: `${root}packages/$1/src/$2.ts` }
]

const rooms = [
  "packages/otp",
  "packages/client",
  "packages/raft",
  "packages/cluster",
  "packages/gater",
  "packages/db",
  "packages/testkit",
  "apps/node",
  "apps/bench"
]

export default defineConfig({
  test: {
    projects: rooms.map(room => ({
      resolve: { alias },
      test: {
        name: room.slice(room.indexOf("/") + 1),
        root: `${root}${room}`,
        include: ["test/**/*.test.ts"],
        // Nothing is asserted of time: this only ends what hangs, on a machine whose disk stalls too.
        testTimeout: 60_000
      }
    }))
  }
})
