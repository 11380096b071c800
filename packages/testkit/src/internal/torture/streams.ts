/**
 * The history of the streams, in the words of the linearizability checker.
 */
import type * as Linearizability from "@reckon/raft/Linearizability"
import type { Answer, Entry, Operation, Stored } from "../../TortureHistory.js"

type Event = Linearizability.Event<Linearizability.StreamInput, Linearizability.StreamOutput>

const input = (operation: Operation): Linearizability.StreamInput | undefined =>
  operation._tag === "ReadAll" ? undefined : operation

const output = (answer: Answer): Linearizability.StreamOutput | undefined => {
  switch (answer._tag) {
    case "AllEvents":
      return undefined
    case "Appended":
      return { _tag: "Appended", version: answer.version }
    default:
      return answer
  }
}

/** With a read of each whole stream behind everything else: what the store holds at the end. */
export const history = (
  entries: ReadonlyArray<Entry>,
  log: ReadonlyArray<Stored> | undefined
): ReadonlyArray<Event> => {
  const events: Array<Event> = []
  const streams = new Map<string, Array<Stored>>()
  const open = new Set<number>()
  let idMax = 0
  for (const entry of entries) {
    switch (entry._tag) {
      case "Call": {
        const asked = input(entry.operation)
        if (asked === undefined) break
        idMax = Math.max(idMax, entry.id)
        streams.set(asked.stream, [])
        open.add(entry.id)
        events.push({ _tag: "Call", id: entry.id, client: entry.client, input: asked })
        break
      }
      case "Return": {
        const told = output(entry.answer)
        if (told !== undefined && open.has(entry.id)) events.push({ _tag: "Return", id: entry.id, output: told })
        break
      }
      case "Fail":
        if (open.has(entry.id)) events.push({ _tag: "Fail", id: entry.id })
        break
      default:
    }
  }
  if (log === undefined) return events
  for (const event of log) streams.get(event.stream)?.push(event)
  for (const [stream, held] of streams) {
    const id = ++idMax
    events.push({ _tag: "Call", id, client: "end", input: { _tag: "Read", stream, from: 0, count: held.length + 1 } })
    events.push({
      _tag: "Return",
      id,
      output:
        held.length === 0
          ? { _tag: "StreamNotFound" }
          : {
              _tag: "Events",
              events: held.map(({ content, id: eventId, version }) => ({ id: eventId, content, version })),
              isEnd: true
            }
    })
  }
  return events
}
