/** The aims, and how far what was measured is from them. */
import { depthTitle, readFigures } from "./figures.js"
import type { SubjectName } from "./options.js"
import { appendFigure, type Results, readCallers, readFigure } from "./results.js"

/** `value` has to be at least, or at most, `bound`. It is none where one of its sides was not measured. */
export interface Aim {
  readonly title: string
  readonly value: number | undefined
  readonly relation: "≥" | "≤"
  readonly bound: number
}

export const verdict = ({ bound, relation, value }: Aim): "met" | "NOT MET" | "not measured" => {
  if (value === undefined || Number.isNaN(value)) return "not measured"
  return (relation === "≥" ? value >= bound : value <= bound) ? "met" : "NOT MET"
}

/**
 * reckon-db on a machine of the same kind, asked from inside its own process: appends of 128 processes to three nodes, and reads of 100 events by 1 and by 16 processes from
 * one. Measured before and not in this run: such a ratio is a rough one.
 */
export const original = { appends: 1915, reads: { 1: 560, 16: 854 } }

const aimCallers = 128
const deepTitles = ["all events", "by tag", "by type"]
const shallow = depthTitle(0.01)
const deep = depthTitle(0.99)

/** At this size a tenth of the events is a million. */
const memoryEvents = 10_000_000

const ratio = (left: number | undefined, right: number | undefined): number | undefined =>
  left === undefined || right === undefined ? undefined : left / right

const extreme = (
  values: ReadonlyArray<{ readonly title: string; readonly value: number | undefined }>,
  pick: (a: number, b: number) => boolean
) =>
  values.reduce<{ readonly title: string; readonly value: number } | undefined>(
    (found, { title, value }) =>
      value !== undefined && (found === undefined || pick(value, found.value)) ? { title, value } : found,
    undefined
  )

export const aimsOf = (results: Results): ReadonlyArray<Aim> => {
  const appends = (subject: SubjectName) => results.of(subject).figure(appendFigure(aimCallers, 1))?.perSecond
  const reads = (subject: SubjectName, title: string, callers = readCallers) =>
    results.of(subject).figure(readFigure(title, callers))?.perSecond
  const embedded = results.of("embedded")

  const besideBare = (single: boolean) =>
    extreme(
      readFigures
        .filter(figure => figure.single === single)
        .map(({ title }) => ({ title, value: ratio(reads("embedded", title), reads("bare", title)) })),
      (a, b) => a < b
    )
  const depth = (subject: SubjectName) =>
    extreme(
      deepTitles.map(title => ({
        title,
        value: ratio(reads(subject, `${title}, ${shallow}`), reads(subject, `${title}, ${deep}`))
      })),
      (a, b) => a > b
    )
  const length = (subject: SubjectName) => {
    const lengths = results.of(subject).lengths
    return ratio(lengths?.longMillis, lengths?.shortMillis)
  }
  const stream = readFigures[0]?.title ?? ""
  const { loaded } = embedded
  const isLarge = loaded !== undefined && loaded.full.events >= memoryEvents

  return [
    ...(["bare", "postgres", "postgres-light", "emmett"] as const).map(
      (peer): Aim => ({
        title: `embedded / ${peer}: appends/s, ${aimCallers} callers`,
        value: ratio(appends("embedded"), appends(peer)),
        relation: "≥",
        bound: { bare: 0.5, postgres: 2, "postgres-light": 2, emmett: 5 }[peer]
      })
    ),
    {
      title: `cluster / the original's (${original.appends}): appends/s, ${aimCallers} callers`,
      value: ratio(appends("cluster"), original.appends),
      relation: "≥",
      bound: 5
    },
    ...(["embedded", "cluster"] as const).flatMap(subject =>
      ([1, 16] as const).map(
        (callers): Aim => ({
          title: `${subject} / the original's (${original.reads[callers]}): reads/s of 100 of a stream, ${callers === 1 ? "1 caller" : `${callers} callers`}`,
          value: ratio(reads(subject, stream, callers), original.reads[callers]),
          relation: "≥",
          bound: 5
        })
      )
    ),
    ...[false, true].map((single): Aim => {
      const worst = besideBare(single)
      return {
        title: `embedded / bare: reads/s of ${single ? "one value" : "events"}, the worst (${worst?.title ?? "none"})`,
        value: worst?.value,
        relation: "≥",
        bound: 0.5
      }
    }),
    ...(["embedded", "cluster"] as const).flatMap((subject): ReadonlyArray<Aim> => {
      const worst = depth(subject)
      return [
        {
          title: `${subject}: an append to a stream of 20,000 / of 100 events`,
          value: length(subject),
          relation: "≤",
          bound: 1.2
        },
        {
          title: `${subject}: page at 99 % / at 1 %, the worst (${worst?.title ?? "none"})`,
          value: worst?.value,
          relation: "≤",
          bound: 1.3
        }
      ]
    }),
    {
      title: `embedded: memory at ten million events / at one million${isLarge ? "" : " (--events 10m)"}`,
      value: isLarge ? ratio(loaded.full.memory ?? undefined, loaded.small.memory ?? undefined) : undefined,
      relation: "≤",
      bound: 1.5
    },
    {
      title: "embedded: restart after kill -9 with ten times the events",
      value: ratio(loaded?.full.restart?.openMillis, loaded?.small.restart?.openMillis),
      relation: "≤",
      bound: 2
    }
  ]
}
