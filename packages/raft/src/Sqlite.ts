/**
 * SQLite: better-sqlite3 in the release that this Node.js can run, for the log and for whatever a replicated machine keeps in a file of its own.
 *
 * Since 13 it stands on Node-API 10, which Node.js has from 22.14 on. The releases before stand on a part of Node.js which, from 24.19 on, ends the whole process as soon as a statement is collected that
 * nobody holds any more. No release runs everywhere, so there are two, as packages that may be absent: an older Node.js is not given the newer one, and where the older one cannot be compiled it may not
 * be needed.
 *
 * @since 0.1.0
 */
import { createRequire } from "node:module"
import type BetterSqlite3 from "better-sqlite3"

const name = Number(process.versions.napi) >= 10 ? "better-sqlite3" : "better-sqlite3-12"

// In a bundle of CommonJS this module has no place of its own, and what was left outside of it lies beside the program.
const require = createRequire(import.meta.url ?? process.argv[1])

const resolve = (): string => {
  try {
    return require.resolve(name)
  } catch (cause) {
    const advice = `Install the packages again, with this Node.js (${process.version}) and with those that are optional`
    throw new Error(`${name} is not installed, or not where ${import.meta.url} finds it. ${advice}`, { cause })
  }
}

/**
 * Where it lies, for a thread, which starts from a file and loads everything itself.
 *
 * @since 0.1.0
 * @category constants
 */
export const path: string = resolve()

/**
 * @since 0.1.0
 * @category constructors
 */
export const Database: typeof BetterSqlite3 = require(path)

/**
 * @since 0.1.0
 * @category models
 */
export declare namespace Database {
  export type Database = BetterSqlite3.Database
  export type Statement<
    Parameters extends Array<unknown> | object = Array<unknown>,
    Row = unknown
  > = BetterSqlite3.Statement<Parameters, Row>
}
