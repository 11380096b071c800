/**
 * Takes in the pieces of a snapshot and keeps them in a file until they are whole and checked.
 *
 * At most one snapshot is on its way in: one from a newer term, or of a later index, takes the place of another. What arrived is
 * kept across restarts, under a name that tells which snapshot it belongs to.
 */
import { createHash, type Hash } from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import type { Snapshot } from "../../Snapshot.js"
import { type Receipt, type SnapshotChunk, SnapshotRefused } from "../../SnapshotChunk.js"
import * as files from "./files.js"

export interface Inbox {
  /** Takes a piece. The last one is answered when the whole was checked and `whole` was called. */
  readonly take: (chunk: SnapshotChunk) => Effect.Effect<Receipt, SnapshotRefused>
  /** The file of the whole snapshot that stands at this index and term, if there is one. */
  readonly find: (at: { readonly index: number; readonly term: number }) => string | undefined
  /** Throws away all that stands at this index or before it. */
  readonly discard: (throughIndex: number) => void
}

interface Arriving {
  readonly snapshot: Snapshot
  readonly size: number
  readonly file: string
  readonly hash: Hash
  /** The newest in which it was sent. */
  term: number
  received: number
}

const partSuffix = ".part"
const wholeSuffix = ".snapshot"

const nameOf = ({ checksum, index, term }: Snapshot): string => `incoming-${index}-${term}-${checksum.slice(0, 32)}`

const namePattern = /^incoming-(\d+)-(\d+)-[0-9a-f]+\.(?:part|snapshot)$/

interface Kept {
  readonly file: string
  readonly index: number
  readonly term: number
}

export const make = (options: {
  readonly directory: string
  /** Why the machine could not read the snapshot; `undefined` where it can. */
  readonly unreadable: (snapshot: Snapshot) => string | undefined
  /** The snapshot of this piece is all here. */
  readonly whole: (chunk: SnapshotChunk) => void
}): Effect.Effect<Inbox> =>
  Effect.map(Effect.makeSemaphore(1), oneAtATime => {
    const { directory } = options
    let arriving: Arriving | undefined

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

    /** What the file has already counts for the checksum of the whole. */
    const open = (chunk: SnapshotChunk) =>
      onDisk(async () => {
        const { size, snapshot, term } = chunk
        const file = path.join(directory, nameOf(snapshot) + partSuffix)
        for (const other of kept(partSuffix)) if (other.file !== file) fs.rmSync(other.file)
        fs.closeSync(fs.openSync(file, "a"))
        if (fs.statSync(file).size > size) fs.truncateSync(file)
        const hash = createHash("sha256")
        const received = await files.hashInto(hash, file)
        const opened: Arriving = { snapshot, size, file, hash, term, received }
        arriving = opened
        return opened
      })

    const into = (chunk: SnapshotChunk): Effect.Effect<Arriving, SnapshotRefused> => {
      if (arriving === undefined) return open(chunk)
      const { size, snapshot, term } = arriving
      if (chunk.term < term) return refuse("superseded", `a leader of term ${term} sends one`)
      if (nameOf(chunk.snapshot) !== nameOf(snapshot) || chunk.size !== size) {
        return chunk.term === term && chunk.snapshot.index < snapshot.index
          ? refuse("superseded", `one of index ${snapshot.index} is on its way`)
          : open(chunk)
      }
      arriving.term = chunk.term
      return Effect.succeed(arriving)
    }

    const complete = ({ file, hash, received, snapshot }: Arriving): Effect.Effect<void, SnapshotRefused> =>
      Effect.suspend(() => {
        arriving = undefined
        const isRight = hash.digest("hex") === snapshot.checksum
        return onDisk(() => {
          if (!isRight) return fs.rmSync(file)
          files.sync(file)
          fs.renameSync(file, path.join(directory, nameOf(snapshot) + wholeSuffix))
          files.sync(directory)
        }).pipe(
          Effect.zipRight(
            isRight
              ? Effect.void
              : refuse("damaged", `the checksum of its ${received} bytes is another than that of the snapshot`)
          )
        )
      })

    const take = (chunk: SnapshotChunk): Effect.Effect<Receipt, SnapshotRefused> =>
      Effect.gen(function* () {
        const { bytes, offset, size, snapshot } = chunk
        const unreadable = options.unreadable(snapshot)
        if (unreadable !== undefined) return yield* refuse("unreadable", unreadable)
        if (files.sha256(bytes) !== chunk.checksum) {
          return yield* refuse("damaged", `the piece at ${offset} arrived with other bytes than it left with`)
        }
        // All of it may have come before, and what was said of it then was lost.
        if (!fs.existsSync(path.join(directory, nameOf(snapshot) + wholeSuffix))) {
          const target = yield* into(chunk)
          if (offset === target.received && bytes.length > 0) {
            yield* onDisk(() => fs.appendFileSync(target.file, bytes))
            target.hash.update(bytes)
            target.received += bytes.length
          }
          if (target.received < size) return { received: target.received }
          yield* complete(target)
        }
        options.whole(chunk)
        return { received: size }
      })

    return {
      take: chunk => oneAtATime.withPermits(1)(take(chunk)),
      find: ({ index, term }) => kept(wholeSuffix).find(whole => whole.index === index && whole.term === term)?.file,
      discard: throughIndex => {
        for (const { file, index } of [...kept(partSuffix), ...kept(wholeSuffix)]) {
          if (index > throughIndex) continue
          if (arriving?.file === file) arriving = undefined
          fs.rmSync(file, { force: true })
        }
      }
    }
  })
