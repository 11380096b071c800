/**
 * The commands that talk to a cluster as a client, for the root command to take as subcommands.
 *
 * @since 0.1.0
 */
import { append } from "./append.js"
import { exportEvents } from "./export.js"
import { importFile } from "./import.js"
import { memberCommand } from "./member.js"
import { query } from "./query.js"
import { read } from "./read.js"
import { readAll } from "./readAll.js"
import { snapshot } from "./snapshot.js"
import { status } from "./status.js"
import { stream } from "./stream.js"
import { streams } from "./streams.js"
import { subscribe } from "./subscribe.js"

/**
 * @since 0.1.0
 * @category commands
 */
export const clientCommands = [
  status,
  append,
  read,
  readAll,
  query,
  stream,
  streams,
  snapshot,
  subscribe,
  exportEvents,
  importFile,
  memberCommand
] as const
