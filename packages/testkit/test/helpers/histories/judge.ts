/**
 * What is wrong with what a script made of a store.
 *
 * - Some order of the requests explains every answer: each takes effect once, between its call and its return, and one whose outcome is unknown once or never. Since each answer to an append tells its
 *   position there is little to search: `Linearizability` does the rest.
 * - An event looks the same to all who were shown it, times never decrease along positions, and positions and versions are of one event each.
 * - An event that was acknowledged, of a stream of which nobody asked to keep less, is there at the end, once.
 * - Who followed saw all there is, once and in order (`following.ts`), and what is said of a time agrees with the times of the events (`times.ts`).
 * - All nodes hold the same at the end, to the microsecond.
 */
import type { RecordedEvent } from "@reckon/client/Event"
import * as Linearizability from "@reckon/raft/Linearizability"
import * as Following from "./following.js"
import * as Model from "./model.js"
import type { Played } from "./play.js"
import * as Times from "./times.js"

const stepsMax = 300_000

const textOf = ({ data, epochUs, eventId, eventType, position, streamId, tags, version }: RecordedEvent): string =>
  `${eventId} ${streamId}/${version}#${position} at ${epochUs}: ${eventType} ${tags.join()} ${data.join()}`

const judgeShown = (shown: ReadonlyArray<RecordedEvent>): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const byKey = new Map<string, string>()
  for (const event of shown) {
    const text = textOf(event)
    const { eventId, position, streamId, version } = event
    for (const key of [`#${position}`, `${streamId}/${version}`, `${streamId}: ${eventId}`]) {
      const known = byKey.get(key) ?? text
      byKey.set(key, known)
      if (known !== text) problems.push(`${key} was shown as ${known}, and as ${text}`)
    }
  }
  const inOrder = shown.toSorted((a, b) => a.position - b.position)
  for (const [at, event] of inOrder.entries()) {
    const before = inOrder[at - 1]
    if (before !== undefined && before.epochUs > event.epochUs) {
      problems.push(`time goes back from ${textOf(before)} to ${textOf(event)}`)
    }
  }
  return problems
}

/** The streams of which somebody asked to keep less. */
const diminishedIn = ({ history }: Played): ReadonlySet<string> =>
  new Set(
    history.flatMap(event =>
      event._tag === "Call" && (event.input._tag === "Delete" || event.input._tag === "Limit")
        ? [event.input.stream]
        : []
    )
  )

const judgeLoss = (played: Played): ReadonlyArray<string> => {
  const { history } = played
  const inputs = new Map<number, Model.Input>()
  const diminished = diminishedIn(played)
  const acknowledged: Array<string> = []
  let end = ""
  for (const event of history) {
    if (event._tag === "Call") {
      inputs.set(event.id, event.input)
    } else if (event._tag === "Return") {
      const input = inputs.get(event.id)
      if (input?._tag === "Append" && event.output.present !== undefined) {
        for (const { events, stream } of input.parts) {
          for (const { body, id } of events) acknowledged.push(`e${id}.${body}@${stream}/`)
        }
      }
      // The last one is that of the end.
      if (input?._tag === "ReadAll" && input.page.count === 1000 && input.asOf === null) end = event.output.text
    }
  }
  return [...new Set(acknowledged)].flatMap(event => {
    const stream = event.slice(event.indexOf("@") + 1, -1)
    const times = end.split(event).length - 1
    return diminished.has(stream) || times === 1 ? [] : [`${event} was acknowledged and is there ${times} times`]
  })
}

const judgeFollowers = (played: Played): ReadonlyArray<string> => {
  const diminished = diminishedIn(played)
  const lasting = (streamId: string): boolean => !diminished.has(streamId.slice(0, streamId.lastIndexOf("-")))
  return played.followed.flatMap(followed => Following.judge(followed, { ...played, lasting }))
}

const judgeReplicas = ({ replicas }: Played): ReadonlyArray<string> => {
  const [first, ...others] = replicas
  return others
    .filter(({ text }) => text !== first?.text)
    .map(({ node, text }) => `${node} does not hold what ${first?.node} does:\n${text}\nand\n${first?.text}`)
}

/** Nothing where all is well. */
export const judge = (played: Played): ReadonlyArray<string> => {
  const verdict = Linearizability.check(Model.model, played.history, { stepsMax })
  const order = verdict._tag === "Linearizable" ? [] : [`${verdict._tag}: ${verdict.explanation}`]
  return [
    ...order,
    ...judgeShown([...played.shown, ...played.followed.flatMap(({ seen }) => seen)]),
    ...judgeLoss(played),
    ...judgeFollowers(played),
    ...played.asked.flatMap(asked => Times.judge(asked, played.visible)),
    ...judgeReplicas(played)
  ]
}
