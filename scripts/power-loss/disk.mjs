/**
 * A disk that may lose, when the power goes, whatever was not synced: a model of what POSIX allows and journaling file systems do.
 *
 * - Bytes of a file are durable once a sync of the file has ended that began after they were written. Until then any of their blocks may be there or not, whatever
 *   came before or after them.
 * - A file that was made shorter, and whose new length got lost, has its old bytes; what was written to it since is lost with that.
 * - Names (creation, link, rename, removal) are durable once their folder was synced. Until then as many of them have happened as fit into the order in which they were made.
 *   A sync of a file does nothing for its name.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"

class Content {
  #bytes
  size

  constructor(bytes) {
    this.#bytes = bytes
    this.size = bytes.length
  }

  copy() {
    return new Content(Buffer.from(this.bytes()))
  }

  bytes() {
    return this.#bytes.subarray(0, this.size)
  }

  resize(size) {
    if (size > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(size, 2 * this.#bytes.length))
      this.bytes().copy(grown)
      this.#bytes = grown
    } else if (size < this.size) this.#bytes.fill(0, size, this.size)
    this.size = size
  }

  write(at, bytes) {
    if (at + bytes.length > this.size) this.resize(at + bytes.length)
    bytes.copy(this.#bytes, at)
  }

  take(change) {
    if (change._tag === "Resize") this.resize(change.size)
    else this.write(change.at, change.bytes)
  }
}

/** The ways in which unsynced writes fare. The first two are the extremes; the second is what a process leaves that is killed. */
export const fates = ["nothing", "everything", "the first", "blocks", "sectors"]

const blockBytes = { blocks: 4096, sectors: 512 }

export class Disk {
  /** Names as the process sees them. */
  #names = new Map()
  #durableNames = new Map()
  #changedNames = []
  /** By process and number of an open file. */
  #files = new Map()
  #syncs = new Map()

  /** What lies in the folder is durable. */
  constructor(folder) {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath ?? entry.path, entry.name)
      this.#durableNames.set(relative(folder, path), { content: new Content(readFileSync(path)), changes: [] })
    }
    this.#names = new Map(this.#durableNames)
  }

  take(operation) {
    const { time } = operation
    const key = at => `${operation.process} ${at}`
    switch (operation._tag) {
      case "Open": {
        const found = this.#names.get(operation.path) ?? { content: new Content(Buffer.alloc(0)), changes: [] }
        this.#files.set(key(operation.file), found)
        if (!this.#names.has(operation.path)) this.#rename({ time, path: operation.path, file: found })
        return
      }
      case "Write":
      case "Resize":
        this.#files.get(key(operation.file)).changes.push(operation)
        return
      case "Sync":
        this.#syncs.set(key(time), { file: this.#files.get(key(operation.file)) })
        return
      case "SyncNames":
        this.#syncs.set(key(time), { folder: operation.folder })
        return
      case "Synced": {
        const { file, folder } = this.#syncs.get(key(operation.begun))
        this.#syncs.delete(key(operation.begun))
        if (file === undefined) this.#settleNames(folder, operation.begun)
        else settle(file, operation.begun)
        return
      }
      case "Unlink":
        this.#rename({ time, path: operation.path, file: undefined })
        return
      case "Link":
        this.#rename({ time, path: operation.to, file: this.#names.get(operation.path) })
        return
      case "Rename":
        this.#rename({ time, path: operation.to, file: this.#names.get(operation.path), without: operation.path })
        return
    }
  }

  #rename(change) {
    applyName(this.#names, change)
    this.#changedNames.push(change)
  }

  #settleNames(folder, begun) {
    const isDurable = ({ path, time }) => time < begun && dirname(path) === folder
    for (const change of this.#changedNames) if (isDurable(change)) applyName(this.#durableNames, change)
    this.#changedNames = this.#changedNames.filter(change => !isDurable(change))
  }

  /** Writes what a loss of power leaves into an empty folder, and says how much of what was not synced it kept and lost. */
  lose(folder, fate, random) {
    const count = { kept: 0, lost: 0 }
    const names = new Map(this.#durableNames)
    const share = fate === "nothing" ? 0 : fate === "everything" ? 1 : random()
    const happened = Math.floor(share * (this.#changedNames.length + (share < 1 ? 1 : 0)))
    for (const change of this.#changedNames.slice(0, happened)) applyName(names, change)
    for (const [path, { changes, content }] of names) {
      const left = content.copy()
      leave(left, changes, fate, random, count)
      const target = join(folder, path)
      mkdirSync(dirname(target), { recursive: true })
      writeFileSync(target, left.bytes())
    }
    return count
  }
}

const applyName = (names, { file, path, without }) => {
  if (without !== undefined) names.delete(without)
  if (file === undefined) names.delete(path)
  else names.set(path, file)
}

const settle = (file, begun) => {
  for (const change of file.changes) if (change.time < begun) file.content.take(change)
  file.changes = file.changes.filter(change => change.time >= begun)
}

const leave = (content, changes, fate, random, count) => {
  if (fate === "nothing" || fate === "everything" || fate === "the first") {
    const share = fate === "nothing" ? 0 : fate === "everything" ? 1 : random()
    const kept = Math.round(share * changes.length)
    for (const change of changes.slice(0, kept)) content.take(change)
    count.kept += kept
    count.lost += changes.length - kept
    return
  }
  const share = random()
  for (const change of changes) {
    if (change._tag === "Resize") {
      if (random() < share) content.take(change)
      else if (change.size < content.size) return
      continue
    }
    for (let from = 0; from < change.bytes.length; ) {
      const at = change.at + from
      const end = Math.min(change.bytes.length, from + blockBytes[fate] - (at % blockBytes[fate]))
      const isKept = random() < share
      if (isKept) content.write(at, change.bytes.subarray(from, end))
      count[isKept ? "kept" : "lost"] += 1
      from = end
    }
  }
}
