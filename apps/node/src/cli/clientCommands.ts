/**
 * The commands that talk to a cluster as a client, for the root command to take as subcommands.
 *
 * @since 0.1.0
 */
import { append } from "./append.js"
import { importFile } from "./import.js"
import { read } from "./read.js"
import { readAll } from "./readAll.js"
import { status } from "./status.js"
import { streams } from "./streams.js"
import { subscribe } from "./subscribe.js"

/**
 * @since 0.1.0
 * @category commands
 */
export const clientCommands = [status, append, read, readAll, streams, subscribe, importFile] as const
