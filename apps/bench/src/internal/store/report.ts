/** The tables of the benchmark. */
import * as Effect from "effect/Effect"
import { print, type Row } from "../table.js"
import { aimsOf, verdict } from "./aims.js"
import { lengths, readFigures } from "./figures.js"
import type { Options } from "./options.js"
import { appendFigure, batches, callerCounts, type Results, readCallers, readFigure } from "./results.js"
import type { Subject } from "./subjects.js"

const mebibytes = (bytes: number | null | undefined): string | number =>
  bytes === null || bytes === undefined ? "" : bytes / 2 ** 20

const times = (left: number | undefined, right: number | undefined): string =>
  left === undefined || right === undefined ? "" : (left / right).toFixed(2)

const appendRows = (subjects: ReadonlyArray<Subject>, results: Results): ReadonlyArray<Row> =>
  subjects.map(({ name, title }) => [
    title,
    ...batches.flatMap(batch =>
      callerCounts.map(callers => {
        const measured = results.of(name).figure(appendFigure(callers, batch))
        return measured === undefined ? "" : measured.perSecond * batch
      })
    )
  ])

const latencyRows = (subjects: ReadonlyArray<Subject>, results: Results): ReadonlyArray<Row> =>
  subjects.map(({ name, title }) => [
    title,
    ...callerCounts.flatMap((callers): Row => {
      const measured = results.of(name).figure(appendFigure(callers, 1))
      return measured === undefined ? ["", ""] : [measured.p50Millis, measured.p99Millis]
    })
  ])

/** The first figure, which the aims name, by one caller too. */
export const readCells = readFigures.flatMap(({ title }, at) =>
  (at === 0 ? [1, readCallers] : [readCallers]).map(callers => ({ title, callers }))
)

const readRows = (subjects: ReadonlyArray<Subject>, results: Results): ReadonlyArray<Row> =>
  readCells.map(({ callers, title }) => {
    const figure = readFigure(title, callers)
    const perSecond = (name: Subject["name"]) => results.of(name).figure(figure)?.perSecond
    return [
      `${title}${callers === readCallers ? "" : `, ${callers} caller`}`,
      ...subjects.map(({ name }) => perSecond(name) ?? ""),
      times(perSecond("embedded"), perSecond("bare")),
      times(perSecond("cluster"), perSecond("bare"))
    ]
  })

const sizeRows = (subjects: ReadonlyArray<Subject>): ReadonlyArray<Row> =>
  subjects.map(({ loaded, title }) => [
    title,
    loaded.perSecond,
    loaded.bytesPerEvent,
    mebibytes(loaded.small.memory),
    mebibytes(loaded.full.memory),
    loaded.small.restart?.openMillis ?? "",
    loaded.full.restart?.openMillis ?? "",
    loaded.full.restart?.processMillis ?? ""
  ])

const lengthRows = (subjects: ReadonlyArray<Subject>, results: Results): ReadonlyArray<Row> =>
  subjects.flatMap(({ name, title }) => {
    const measured = results.of(name).lengths
    return measured === undefined
      ? []
      : [[title, measured.shortMillis, measured.longMillis, times(measured.longMillis, measured.shortMillis)]]
  })

/** What has to be known to read the figures. */
export interface Circumstances {
  readonly options: Options
  readonly machine: ReadonlyArray<string>
  /** Peers that are not here, and figures that could not be had. */
  readonly missing: ReadonlyArray<string>
}

export const printReport = (
  subjects: ReadonlyArray<Subject>,
  results: Results,
  { machine, missing, options }: Circumstances
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const pairs = batches.flatMap(batch => callerCounts.map(callers => `${callers} × ${batch}`))
    yield* print(
      [
        `events of 300 bytes, ${options.events.toLocaleString("en")} of them loaded before (medians of ${options.rounds} rounds of ${options.seconds} s, all in turns)`,
        ...machine,
        ...subjects.map(({ about, title }) => `${title}: ${about}`),
        ...missing,
        ...(options.quick ? ["--quick: that everything runs is all that this shows; the figures are none"] : []),
        "",
        "appends, events/s (callers × events an append)"
      ].join("\n"),
      ["", ...pairs],
      appendRows(subjects, results)
    )
    yield* print(
      "appends of one event, ms",
      ["", ...callerCounts.flatMap(callers => [`${callers}: p50`, "p99"])],
      latencyRows(subjects, results)
    )
    yield* print(
      `reads/s, ${readCallers} callers, 100 events a page (PostgreSQL's client and Emmett parse the JSON of each event, the others leave it as bytes)`,
      ["", ...subjects.map(({ title }) => title), "embedded / bare", "three nodes / bare"],
      readRows(subjects, results)
    )
    yield* print(
      `one append by one caller, p50 ms, to streams of ${lengths.short} and ${lengths.long.toLocaleString("en")} events in turns`,
      ["", `${lengths.short}`, lengths.long.toLocaleString("en"), "ratio"],
      lengthRows(subjects, results)
    )
    yield* print(
      "sizes, with a tenth of the events and with all (memory: resident, of the process that holds the store; restart: kill -9 to the first read, ms)",
      ["", "loaded/s", "bytes/event", "MiB, 1/10", "MiB, all", "restart, 1/10", "all", "with Node's start"],
      sizeRows(subjects)
    )
    yield* print(
      "aims",
      ["", "measured", "aim", ""],
      aimsOf(results).map(aim => [
        aim.title,
        aim.value === undefined ? "" : aim.value.toFixed(2),
        `${aim.relation} ${aim.bound}`,
        verdict(aim)
      ])
    )
  })
