import { assert, describe, it } from "@effect/vitest"
import * as Linearizability from "@reckon/raft/Linearizability"

type Event<Input, Output> = Linearizability.Event<Input, Output>
type Model<Input, Output, State> = Linearizability.Model<Input, Output, State>
type RegisterInput = Linearizability.RegisterInput
type RegisterOutput = Linearizability.RegisterOutput
type RegisterValue = Linearizability.RegisterValue
type StreamInput = Linearizability.StreamInput
type StreamOutput = Linearizability.StreamOutput

const { check, register, stream } = Linearizability

// -----------------------------------------------------------------------------
// histories by hand: what each client does, in the order of time
// -----------------------------------------------------------------------------

type Step<Input, Output> =
  | { readonly _tag: "Calls"; readonly client: string; readonly input: Input }
  | { readonly _tag: "Returns"; readonly client: string; readonly output: Output }
  | { readonly _tag: "Fails"; readonly client: string }

const calls = <Input>(client: string, input: Input) => ({ _tag: "Calls", client, input }) as const
const returns = <Output>(client: string, output: Output) => ({ _tag: "Returns", client, output }) as const
const fails = (client: string) => ({ _tag: "Fails", client }) as const
const does = <Input, Output>(client: string, input: Input, output: Output) =>
  [calls(client, input), returns(client, output)] as const

/** Operations get their ids in the order of their calls, from 1. A client that calls again has given up waiting. */
const historyOf = <Input, Output>(steps: ReadonlyArray<Step<Input, Output>>): ReadonlyArray<Event<Input, Output>> => {
  const open = new Map<string, number>()
  let calledLast = 0
  return steps.map(step => {
    if (step._tag === "Calls") {
      calledLast += 1
      open.set(step.client, calledLast)
      return { _tag: "Call", id: calledLast, client: step.client, input: step.input }
    }
    const id = open.get(step.client) ?? 0
    return step._tag === "Returns" ? { _tag: "Return", id, output: step.output } : { _tag: "Fail", id }
  })
}

const read: RegisterInput = { _tag: "Read", key: "x" }
const write = (value: RegisterValue): RegisterInput => ({ _tag: "Write", key: "x", value })
const cas = (expected: RegisterValue, value: RegisterValue): RegisterInput => ({
  _tag: "Cas",
  key: "x",
  expected,
  value
})
const value = (held: RegisterValue): RegisterOutput => ({ _tag: "Value", value: held })
const written: RegisterOutput = { _tag: "Written" }
const swapped: RegisterOutput = { _tag: "Swapped" }
const notSwapped: RegisterOutput = { _tag: "NotSwapped" }

const event = (id: string, content = id): Linearizability.StreamEvent => ({ id, content })
const append = (expected: Linearizability.ExpectedVersion, ...events: ReadonlyArray<Linearizability.StreamEvent>) =>
  ({ _tag: "Append", stream: "s", expected, events }) as const
const page = (from: number, count: number): StreamInput => ({ _tag: "Read", stream: "s", from, count })
const version: StreamInput = { _tag: "Version", stream: "s" }
const appended = (last: number): StreamOutput => ({ _tag: "Appended", version: last })
const versionIs = (last: number): StreamOutput => ({ _tag: "Version", version: last })
const wrongVersion = (actual: number): StreamOutput => ({ _tag: "WrongExpectedVersion", actual })
const conflict = (eventId: string, held: number): StreamOutput => ({ _tag: "EventIdConflict", eventId, version: held })
const streamNotFound: StreamOutput = { _tag: "StreamNotFound" }
const events = (from: number, ids: string, isEnd = true): StreamOutput => ({
  _tag: "Events",
  events: [...ids].map((id, at) => ({ ...event(id), version: from + at })),
  isEnd
})

type RegisterSteps = ReadonlyArray<Step<RegisterInput, RegisterOutput>>
type StreamSteps = ReadonlyArray<Step<StreamInput, StreamOutput>>

const accepts = <Input, Output, State>(
  model: Model<Input, Output, State>,
  steps: ReadonlyArray<Step<Input, Output>>
): void => {
  const verdict = check(model, historyOf(steps))
  assert.strictEqual(verdict._tag, "Linearizable", "explanation" in verdict ? verdict.explanation : "")
}

const violationOf = <Input, Output, State>(
  model: Model<Input, Output, State>,
  history: ReadonlyArray<Event<Input, Output>>
): Linearizability.Violation<Input, Output> => {
  const verdict = check(model, history)
  return verdict._tag === "Violation" ? verdict : assert.fail(`the verdict is ${verdict._tag}`)
}

/** The violation is seen at the end of this operation, and not before. */
const rejects = <Input, Output, State>(
  model: Model<Input, Output, State>,
  steps: ReadonlyArray<Step<Input, Output>>,
  culprit: number
): void => {
  const history = historyOf(steps)
  const violation = violationOf(model, history)
  assert.strictEqual(violation.culprit, culprit, violation.explanation)
  assert.strictEqual(violation.end, history.findIndex(({ _tag, id }) => id === culprit && _tag !== "Call") + 1)
  assert.isTrue(violation.isShortest)
}

describe("Linearizability", () => {
  describe("of a register, accepts", () => {
    const histories: Record<string, RegisterSteps> = {
      "no operation at all": [],
      "a read before any write": [...does("a", read, value(null))],
      "a read of what was written before": [...does("a", write(1), written), ...does("b", read, value(1))],
      "reads during a write, of the old value and of the new": [
        calls("a", write(1)),
        ...does("b", read, value(null)),
        ...does("b", read, value(1)),
        returns("a", written)
      ],
      "two writes at once, in the order a later read shows": [
        calls("a", write(1)),
        calls("b", write(2)),
        returns("a", written),
        returns("b", written),
        ...does("c", read, value(1))
      ],
      "one winner of two cas": [
        ...does("a", write(0), written),
        calls("a", cas(0, 1)),
        calls("b", cas(0, 2)),
        returns("a", notSwapped),
        returns("b", swapped),
        ...does("a", read, value(2))
      ],
      "a timed-out write that takes effect later": [
        calls("a", write(1)),
        ...does("b", read, value(null)),
        ...does("b", write(2), written),
        ...does("b", read, value(1))
      ],
      "a timed-out write that takes effect after a read saw it absent twice": [
        calls("a", write(1)),
        ...does("b", read, value(null)),
        ...does("b", read, value(null)),
        ...does("b", read, value(1))
      ],
      "a timed-out write that never takes effect": [
        calls("a", write(1)),
        ...does("a", write(2), written),
        ...does("b", read, value(2))
      ],
      "a cas that needs a timed-out write, itself never answered": [
        calls("a", write(1)),
        calls("b", cas(1, 2)),
        ...does("c", read, value(2))
      ],
      "a failed write that nobody saw": [calls("a", write(1)), fails("a"), ...does("b", read, value(null))]
    }
    it.each(Object.entries(histories))("%s", (_, steps) => accepts(register, steps))
  })

  describe("of a register, rejects", () => {
    const histories: Record<string, readonly [culprit: number, steps: RegisterSteps]> = {
      "a stale read": [
        3,
        [...does("a", write(1), written), ...does("a", write(2), written), ...does("b", read, value(1))]
      ],
      "a lost update": [2, [...does("a", write(1), written), ...does("b", read, value(null))]],
      "a value that nobody wrote": [1, [...does("a", read, value(7))]],
      "a read from the future": [1, [...does("a", read, value(1)), ...does("b", write(1), written)]],
      "two winners of a cas": [
        3,
        [
          ...does("a", write(0), written),
          calls("a", cas(0, 1)),
          calls("b", cas(0, 2)),
          returns("a", swapped),
          returns("b", swapped)
        ]
      ],
      "no winner of a cas": [2, [...does("a", write(0), written), ...does("b", cas(0, 1), notSwapped)]],
      "reads that go back during a write": [
        3,
        [calls("a", write(1)), ...does("b", read, value(1)), ...does("c", read, value(null)), returns("a", written)]
      ],
      "two readers who disagree on the order of two writes": [
        6,
        [
          calls("a", write(1)),
          calls("b", write(2)),
          ...does("c", read, value(1)),
          ...does("c", read, value(2)),
          ...does("d", read, value(2)),
          ...does("d", read, value(1)),
          returns("a", written),
          returns("b", written)
        ]
      ],
      "a timed-out write that comes, goes and comes back": [
        5,
        [
          calls("a", write(1)),
          ...does("b", read, value(1)),
          ...does("b", write(2), written),
          ...does("b", read, value(2)),
          ...does("b", read, value(1))
        ]
      ],
      "a timed-out write that takes effect before its call": [
        1,
        [...does("b", read, value(1)), calls("a", write(1)), ...does("b", read, value(1))]
      ],
      "a failed write that somebody saw, at its failure": [
        1,
        [calls("a", write(1)), ...does("b", read, value(1)), fails("a"), ...does("b", read, value(1))]
      ],
      "a refused cas whose value was seen, at its refusal": [
        1,
        [calls("a", cas(null, 1)), ...does("b", read, value(1)), returns("a", notSwapped), ...does("b", read, value(1))]
      ]
    }
    it.each(Object.entries(histories))("%s", (_, [culprit, steps]) => rejects(register, steps, culprit))
  })

  describe("of a stream, accepts", () => {
    const histories: Record<string, StreamSteps> = {
      "appends that follow each other, and pages of them": [
        ...does("a", append("no_stream", event("p"), event("q")), appended(1)),
        ...does("b", append(1, event("r")), appended(2)),
        ...does("c", page(0, 2), events(0, "pq", false)),
        ...does("c", page(1, 9), events(1, "qr")),
        ...does("c", page(3, 1), events(3, ""))
      ],
      "a stream that does not exist yet": [
        ...does("a", page(0, 1), streamNotFound),
        ...does("a", version, versionIs(-1)),
        ...does("a", append("stream_exists", event("p")), wrongVersion(-1))
      ],
      "two appends at once, in the order that what they expect asks for": [
        calls("a", append(0, event("p"))),
        calls("b", append("no_stream", event("q"))),
        returns("b", appended(0)),
        returns("a", appended(1))
      ],
      "an append repeated after its answer was lost": [
        calls("a", append("no_stream", event("p"))),
        ...does("a", append("no_stream", event("p")), appended(0)),
        ...does("b", page(0, 9), events(0, "p"))
      ],
      "a timed-out append between two others, seen by the second one's version": [
        calls("a", append("any", event("p"))),
        ...does("b", append("any", event("q")), appended(0)),
        ...does("b", append("any", event("r")), appended(2)),
        ...does("c", page(0, 9), events(0, "qpr"))
      ],
      "an append whose id is there with other content": [
        ...does("a", append("any", event("p")), appended(0)),
        ...does("b", append("any", event("p", "other")), conflict("p", 0))
      ],
      "an append without events, which tells the version": [
        ...does("a", append("any"), appended(-1)),
        ...does("a", append("any", event("p")), appended(0)),
        ...does("a", append("stream_exists"), appended(0))
      ]
    }
    it.each(Object.entries(histories))("%s", (_, steps) => accepts(stream, steps))
  })

  describe("of a stream, rejects", () => {
    const histories: Record<string, readonly [culprit: number, steps: StreamSteps]> = {
      "a duplicated append": [
        2,
        [...does("a", append("any", event("p")), appended(0)), ...does("b", page(0, 9), events(0, "pp"))]
      ],
      "a repeated append that is written twice": [
        2,
        [...does("a", append("any", event("p")), appended(0)), ...does("a", append("any", event("p")), appended(1))]
      ],
      "a lost append": [
        2,
        [...does("a", append("any", event("p")), appended(0)), ...does("b", page(0, 9), streamNotFound)]
      ],
      "two appends with the same version": [
        2,
        [
          calls("a", append("any", event("p"))),
          calls("b", append("any", event("q"))),
          returns("a", appended(0)),
          returns("b", appended(0))
        ]
      ],
      "two winners of one expected version": [
        3,
        [
          ...does("a", append("no_stream", event("p")), appended(0)),
          calls("a", append(0, event("q"))),
          calls("b", append(0, event("r"))),
          returns("a", appended(1)),
          returns("b", appended(2))
        ]
      ],
      "half an append": [
        2,
        [calls("a", append("any", event("p"), event("q"))), ...does("b", page(0, 9), events(0, "p"))]
      ],
      "a version that goes back": [
        4,
        [
          ...does("a", append("any", event("p")), appended(0)),
          calls("a", append("any", event("q"))),
          ...does("b", version, versionIs(1)),
          ...does("c", version, versionIs(0)),
          returns("a", appended(1))
        ]
      ],
      "a hole in the versions": [
        2,
        [...does("a", append("any", event("p")), appended(0)), ...does("b", append("any", event("q")), appended(2))]
      ],
      "two readers who disagree on the order": [
        4,
        [
          calls("a", append("any", event("p"))),
          calls("b", append("any", event("q"))),
          ...does("c", page(0, 9), events(0, "pq")),
          ...does("d", page(0, 9), events(0, "qp"))
        ]
      ],
      "an end that is none": [
        2,
        [...does("a", append("any", event("p"), event("q")), appended(1)), ...does("b", page(0, 1), events(0, "p"))]
      ],
      "an acknowledged append that a later leader lost": [
        3,
        [
          ...does("a", append("no_stream", event("p")), appended(0)),
          ...does("b", append("any", event("q")), appended(1)),
          ...does("c", append("any", event("r")), appended(1))
        ]
      ]
    }
    it.each(Object.entries(histories))("%s", (_, [culprit, steps]) => rejects(stream, steps, culprit))
  })

  describe("of several keys", () => {
    const at = (key: string, client: string, input: RegisterInput, output: RegisterOutput) =>
      does(client, { ...input, key }, output)

    it("judges each by itself", () => {
      const verdict = check(
        register,
        historyOf([
          ...at("x", "a", write(1), written),
          ...at("y", "a", read, value(null)),
          ...at("x", "a", read, value(1))
        ])
      )
      assert.strictEqual(verdict._tag, "Linearizable")
      if (verdict._tag !== "Linearizable") return
      assert.deepStrictEqual(
        [...verdict.orders],
        [
          ["x", [1, 3]],
          ["y", [2]]
        ]
      )
    })

    it("shows the violation that is complete first, without the other keys and without what follows", () => {
      const bad = historyOf([
        ...at("x", "a", write(1), written),
        ...at("y", "b", write(1), written),
        calls("c", { ...read, key: "x" }),
        ...at("y", "b", read, value(null)),
        returns("c", value(null)),
        ...at("y", "b", read, value(7))
      ])
      const violation = violationOf(register, bad)
      assert.strictEqual(violation.key, "y")
      assert.strictEqual(violation.end, 7)
      assert.deepStrictEqual(
        violation.history,
        bad.filter((_, at) => [2, 3, 5, 6].includes(at))
      )
    })
  })

  describe("explains", () => {
    it("what a wrong answer could have been, and in which order", () => {
      const violation = violationOf(
        register,
        historyOf([
          ...does("anna", write(1), written),
          calls("bert", write(2)),
          ...does("anna", write(3), written),
          ...does("carl", read, value(1))
        ])
      )
      assert.deepStrictEqual(
        [...violation.answers].sort((a, b) => a.order.length - b.order.length),
        [
          { output: value(3), order: [1, 3, 4] },
          { output: value(2), order: [1, 3, 2, 4] }
        ]
      )
      assert.strictEqual(
        violation.explanation,
        [
          `"x": no order explains the answer of #4`,
          "  #1  anna  write 1  → Written        [0, 1]",
          "  #2  bert  write 2  → no answer yet  [2, …]",
          "  #3  anna  write 3  → Written        [3, 4]",
          "  #4  carl  read     → 1              [5, 6]  ← cannot be",
          "#4 could only have answered",
          "  3  in the order #1 #3 #4",
          "  2  in the order #1 #3 #2 #4"
        ].join("\n")
      )
    })

    it("that the effect of what failed was seen", () => {
      const violation = violationOf(
        register,
        historyOf([calls("a", write(1)), ...does("b", read, value(1)), fails("a")])
      )
      assert.deepStrictEqual(violation.answers, [])
      assert.include(violation.explanation, `"x": #1 failed, and without its effect no order explains the answers`)
    })

    it("the end of a long history only", () => {
      const writes = Array.from({ length: 100 }, (_, at) => does("a", write(at), written)).flat()
      const { explanation } = violationOf(register, historyOf([...writes, ...does("b", read, value(3))]))
      assert.include(explanation, "… 71 operations before")
      assert.include(explanation, "  99  in the order … #92 #93 #94 #95 #96 #97 #98 #99 #100 #101")
    })
  })

  describe("within a limit on steps", () => {
    /** Writes all at once, and a value that none of them wrote: nothing but trying all orders shows it. */
    const knot = (size: number): RegisterSteps => [
      ...Array.from({ length: size }, (_, at) => calls(`w${at}`, write(at))),
      ...Array.from({ length: size }, (_, at) => returns(`w${at}`, written)),
      ...does("r", read, value(size))
    ]

    it("says where it had to give up, and on which keys", () => {
      const verdict = check(register, historyOf([...knot(12), ...does("a", { ...read, key: "y" }, value(null))]), {
        stepsMax: 1_000
      })
      assert.strictEqual(verdict._tag, "Undecided")
      if (verdict._tag !== "Undecided") return
      assert.deepStrictEqual(verdict.keys, ["x"])
      assert.match(verdict.explanation, /^"x": \d+ answers were explained when the limit of 1000 steps was reached$/)
      assert.isBelow(verdict.steps, 1_100)
    })

    it("decides with a higher one", () => {
      const { culprit, steps } = violationOf(register, historyOf(knot(12)))
      assert.strictEqual(culprit, 13)
      assert.isAbove(steps, 1_000)
    })

    it("reports a violation on another key, and that an earlier one was not ruled out", () => {
      const history = historyOf([...knot(12), ...does("a", { ...read, key: "y" }, value(1))])
      const verdict = check(register, history, { stepsMax: 1_000 })
      assert.strictEqual(verdict._tag, "Violation")
      if (verdict._tag !== "Violation") return
      assert.strictEqual(verdict.key, "y")
      assert.isFalse(verdict.isShortest)
    })
  })

  describe("does not take for a history", () => {
    const call = { _tag: "Call", id: 1, client: "a", input: read } as const
    const end = { _tag: "Return", id: 1, output: value(null) } as const

    it.each([
      ["an end without a call", [end]],
      ["two ends of one call", [call, end, end]],
      ["a failure after a return", [call, end, { _tag: "Fail", id: 1 } as const]],
      ["two calls with one id", [call, call]]
    ])("%s", (_, history) => {
      assert.throws(() => check(register, history), /broken invariant: an operation (is called|ends) once/)
    })
  })
})
