/**
 * Takes in the pieces of a snapshot and keeps them in a file until they are whole and checked.
 *
 * At most one snapshot is on its way in: one from a newer term, or of a later index, takes the place of another. What arrived is
 * kept across restarts, under a name that tells which snapshot it belongs to.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import * as Folder from "../../Folder.js"
import type { Snapshot } from "../../Snapshot.js"
import { type Receipt, type SnapshotChunk, SnapshotRefused } from "../../SnapshotChunk.js"
import * as files from "./files.js"
import { type Arriving, rules } from "./rules.js"

export interface Inbox {
  /** Takes a piece. The last one is answered when the whole was checked and `whole` was called. */
  readonly take: (chunk: SnapshotChunk) => Effect.Effect<Receipt, SnapshotRefused>
  /** The file of the whole snapshot that stands at this index and term, if there is one. */
  readonly find: (at: { readonly index: number; readonly term: number }) => string | undefined
  /** Reads a file that {@link Inbox.find} found, and tells whether it still has the bytes that once came. */
  readonly isSound: (file: string) => Effect.Effect<boolean>
  /** Throws away all that stands at this index or before it. */
  readonly discard: (throughIndex: number) => void
}

/** `term` is the newest in which it was sent. */
interface Part extends Arriving {
  readonly file: string
  term: number
  received: number
}

const partSuffix = ".part"
const wholeSuffix = ".snapshot"

/** Characters of the checksum that a file's name has. */
const namedChecksum = 32

const nameOf = ({ checksum, index, term }: Snapshot): string =>
  `incoming-${index}-${term}-${checksum.slice(0, namedChecksum)}`

const namePattern = /^incoming-(\d+)-(\d+)-([0-9a-f]+)\.(?:part|snapshot)$/

interface Kept {
  readonly file: string
  readonly index: number
  readonly term: number
}

export const make = (options: {
  readonly directory: string
  /** Why the machine could not read the snapshot; `undefined` where it can. */
  readonly unreadable: (snapshot: Snapshot) => string | undefined
  /** The index after which the log begins, staged or not: no snapshot up to there is of use, and one that is being installed is not to be touched. */
  readonly baseIndex: () => number
  /** The snapshot of this piece is all here. */
  readonly whole: (chunk: SnapshotChunk) => void
}): Effect.Effect<Inbox> =>
  Effect.map(Effect.makeSemaphore(1), oneAtATime => {
    const { directory } = options
    let arriving: Part | undefined

    const kept = (suffix: string): ReadonlyArray<Kept> =>
      fs.readdirSync(directory).flatMap(name => {
        const found = name.endsWith(suffix) ? namePattern.exec(name) : null
        return found === null
          ? []
          : [{ file: path.join(directory, name), index: Number(found[1]), term: Number(found[2]) }]
      })

    const refuse = (reason: SnapshotRefused["reason"], detail: string) =>
      Effect.fail(new SnapshotRefused({ reason, detail }))

    /** A disk that fails leaves the file in a state that only the next look at it tells. */
    const onDisk = <A>(body: () => A | PromiseLike<A>): Effect.Effect<A, SnapshotRefused> =>
      Effect.tryPromise({
        try: async () => body(),
        catch: cause => {
          arriving = undefined
          return new SnapshotRefused({ reason: "storage", detail: String(cause) })
        }
      })

    /** What the file has already need not be sent again; whether it is right shows with the whole. */
    const open = (chunk: SnapshotChunk) =>
      onDisk(() => {
        const { size, snapshot, term } = chunk
        const file = path.join(directory, nameOf(snapshot) + partSuffix)
        for (const other of kept(partSuffix)) if (other.file !== file) fs.rmSync(other.file)
        fs.closeSync(fs.openSync(file, "a"))
        if (fs.statSync(file).size > size) fs.truncateSync(file)
        const opened: Part = { snapshot, size, file, term, received: fs.statSync(file).size }
        arriving = opened
        return opened
      })

    const into = (chunk: SnapshotChunk): Effect.Effect<Part, SnapshotRefused> => {
      switch (rules.admit(arriving, chunk)) {
        case "superseded":
          return refuse(
            "superseded",
            `one of index ${arriving?.snapshot.index} from term ${arriving?.term} is on its way`
          )
        case "other":
          return open(chunk)
        case "same":
          if (arriving === undefined) return open(chunk)
          arriving.term = chunk.term
          return Effect.succeed(arriving)
      }
    }

    /** The checksum is of what the disk has, not of what was handed to it. */
    const complete = ({ file, received, snapshot }: Part, whole: string): Effect.Effect<void, SnapshotRefused> =>
      Effect.gen(function* () {
        arriving = undefined
        const found = yield* onDisk(() => {
          Folder.sync(file)
          return files.checksum(file)
        })
        if (!rules.isSound("whole", snapshot.checksum, found)) {
          yield* onDisk(() => fs.rmSync(file))
          return yield* refuse("damaged", `the checksum of its ${received} bytes is another than that of the snapshot`)
        }
        yield* onDisk(() => {
          fs.renameSync(file, whole)
          Folder.sync(directory)
        })
      })

    /** Whether all of it has come before. What was kept and has changed since is thrown away, and comes anew. */
    const isHere = (whole: string, { checksum }: Snapshot): Effect.Effect<boolean, SnapshotRefused> =>
      onDisk(async () => {
        if (!fs.existsSync(whole)) return false
        const isSound = rules.isSound("kept", checksum, await files.checksum(whole))
        if (!isSound) fs.rmSync(whole)
        return isSound
      })

    const take = (chunk: SnapshotChunk): Effect.Effect<Receipt, SnapshotRefused> =>
      Effect.gen(function* () {
        const { bytes, offset, size, snapshot } = chunk
        const unreadable = options.unreadable(snapshot)
        if (unreadable !== undefined) return yield* refuse("unreadable", unreadable)
        if (!rules.isSound("piece", chunk.checksum, files.sha256(bytes))) {
          return yield* refuse("damaged", `the piece at ${offset} arrived with other bytes than it left with`)
        }
        const baseIndex = options.baseIndex()
        if (snapshot.index <= baseIndex) return yield* refuse("superseded", `the log begins after entry ${baseIndex}`)
        const whole = path.join(directory, nameOf(snapshot) + wholeSuffix)
        // All of it may have come before, and what was said of it then was lost.
        if (!(yield* isHere(whole, snapshot))) {
          const target = yield* into(chunk)
          if (offset === target.received && bytes.length > 0) {
            yield* onDisk(() => fs.appendFileSync(target.file, bytes))
            target.received += bytes.length
          }
          if (target.received < size) return { received: target.received }
          yield* complete(target, whole)
        }
        options.whole(chunk)
        return { received: size }
      })

    return {
      take: chunk => oneAtATime.withPermits(1)(take(chunk)),
      find: ({ index, term }) => kept(wholeSuffix).find(whole => whole.index === index && whole.term === term)?.file,
      isSound: file =>
        Effect.map(
          Effect.promise(() => files.checksum(file)),
          found =>
            rules.isSound("kept", namePattern.exec(path.basename(file))?.[3] ?? "", found.slice(0, namedChecksum))
        ),
      discard: throughIndex => {
        for (const { file, index } of [...kept(partSuffix), ...kept(wholeSuffix)]) {
          if (index > throughIndex) continue
          if (arriving?.file === file) arriving = undefined
          fs.rmSync(file, { force: true })
        }
      }
    }
  })
