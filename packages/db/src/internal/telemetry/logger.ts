/** The default handler: it logs events. */
import * as Effect from "effect/Effect"
import * as LogLevel from "effect/LogLevel"
import type { AnyEmitted } from "./event.js"
import { printed } from "./text.js"

export const id = "reckon_db_logger_handler"

/** Characters that one value has in the log. */
const valueCharactersMax = 256
/** Fields of one event that are logged. */
const fieldsMax = 32

const annotation = (value: unknown): unknown =>
  typeof value === "number" || typeof value === "boolean" ? value : printed(value, valueCharactersMax)

/**
 * Logs an event at its level: the name as message, the fields as annotations. It looks for no field in particular, so that it gets along with whatever an
 * event has or lacks.
 */
export const log = ({ event, measurements, metadata, name }: AnyEmitted): Effect.Effect<void> => {
  const fields = Object.entries({ ...measurements, ...metadata }).slice(0, fieldsMax)
  return Effect.logWithLevel(LogLevel.fromLiteral(event.level), name).pipe(
    Effect.annotateLogs(Object.fromEntries(fields.map(([field, value]) => [field, annotation(value)])))
  )
}
