/**
 * The house rules, held against the repository. Each failure says `file:line` and what is wrong with it; that the rules themselves
 * find what they should is proven in `tidy-rules.test.ts`.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Manifests from "./tidy/Manifests.js"
import * as Repository from "./tidy/Repository.js"
import * as Rooms from "./tidy/Rooms.js"
import * as Rules from "./tidy/Rules.js"
import { type Finding, format } from "./tidy/Source.js"

/** Files that may be longer than the limit, each with the one reason it has to be. */
const longFiles: ReadonlyArray<string> = []

/** Uses of ambient time and chance that are right. */
const ambientTime: ReadonlyArray<Rules.Exception> = []

const sources = Repository.sources()

const holds = (findings: ReadonlyArray<Finding>) => assert.deepStrictEqual(findings.map(format), [])

const everywhere = (rule: Rules.Rule) => holds(sources.flatMap(rule))

describe("tidy", () => {
  it("reads the repository", () => {
    assert.isTrue(sources.some(source => source.path === "package.json"))
    assert.isTrue(sources.some(source => source.path === "packages/client/src/index.ts"))
  })

  it("files stay short", () => everywhere(Rules.fileLength(longFiles)))

  it("public exports are documented", () => everywhere(Rules.documentation))

  it("queues are bounded", () => everywhere(Rules.boundedQueues))

  it("time and chance come from services", () => everywhere(Rules.noAmbientTime(ambientTime)))

  it("exceptions are still needed and have a reason", () => {
    const used = sources.flatMap(Rules.noAmbientTime([])).map(finding => finding.file)
    for (const { file, reason } of ambientTime) {
      assert.include(used, file)
      assert.isAbove(reason.length, 20)
    }
    const long = sources.flatMap(Rules.fileLength([])).map(finding => finding.file)
    for (const file of longFiles) assert.include(long, file)
  })

  it("imports point down", () => {
    everywhere(Rooms.direction)
    everywhere(Rooms.declaredDirection)
    holds(Rooms.unplacedRooms(sources))
  })

  it("modules do not import each other in circles", () => holds(Rooms.cycles(sources)))

  it("one version of effect is installed", () =>
    holds(Rooms.oneEffect(Repository.read("node_modules/.pnpm/lock.yaml"))))

  it("packages take the effect of whoever installs them", () => {
    everywhere(Manifests.sharedEffect)
    holds(Manifests.passedOnPeers(sources))
  })

  it("packages can be imported and required", () => everywhere(Manifests.openExports))

  it("the compiler is not silenced", () => everywhere(Rules.noSilencedCompiler))

  it("every test runs", () => everywhere(Rules.noSkippedTests))

  it("no test changes what tests are made with", () => everywhere(Rules.noSharedLayers))

  it("statements are planned once", () => everywhere(Rules.plannedOnce))

  it("nothing is left over", () => everywhere(Rules.noLeftovers))

  it("no file names a machine's folders", () => everywhere(Rules.noMachinePaths))

  it("no file names a package registry", () => everywhere(Rules.noRegistryHosts))
})
