import * as Schema from "effect/Schema"
import * as Linearizability from "../../Linearizability.js"
import type { Definition, Replica, Workload } from "../../Simulator.js"
import { Violation } from "./violation.js"

/** Steps that the search may take for one key: a tenth of a second. */
const stepsMax = 200_000

/**
 * A workload out of its typed parts. What travels, is stored and is recorded are texts: so the codecs are tested as well.
 */
export const make = <State, Input, Output, Spec, StateI, InputI, OutputI>(
  definition: Definition<State, Input, Output, Spec, StateI, InputI, OutputI>
): Workload => {
  const inputs = codec(definition.input)
  const outputs = codec(definition.output)
  const states = codec(definition.state)
  const replicaOf = (state: State): Replica => ({
    apply: text => {
      const applying = `applying ${text}`
      const input = attempt("an input passes its schema", text, () => inputs.read(text))
      const [next, output] = attempt("the machine does not throw", applying, () => {
        const [next, output] = definition.apply(state, input)
        return [next, output] as const
      })
      return {
        replica: replicaOf(next),
        output: attempt("an output passes its schema", applying, () => outputs.write(output))
      }
    },
    image: () => attempt("the state passes its schema", "for a snapshot", () => states.write(state)),
    complaint: () =>
      attempt("the machine's own invariant does not throw", "looking at a state", () => definition.complaint?.(state))
  })
  const judge = (history: ReadonlyArray<Linearizability.Event<string, string>>) => {
    const typed = history.map((event): Linearizability.Event<Input, Output> => {
      switch (event._tag) {
        case "Call":
          return { ...event, input: inputs.read(event.input) }
        case "Return":
          return { ...event, output: outputs.read(event.output) }
        case "Fail":
          return event
      }
    })
    const { model } = definition
    return attempt("the model does not throw", "judging the history", () =>
      model === undefined
        ? Linearizability.check(modelOf(definition), typed, { stepsMax })
        : Linearizability.check(model, typed, { stepsMax })
    )
  }
  return {
    initial: replicaOf(definition.initial),
    restore: image =>
      replicaOf(attempt("a state is read back by its schema", `from ${image}`, () => states.read(image))),
    isRead: text => definition.isRead(inputs.read(text)),
    draw: (random, call, last) =>
      attempt("a draw does not throw", `for ${call.client}`, () =>
        inputs.write(
          definition.draw(random, call, last && { input: inputs.read(last.input), output: outputs.read(last.output) })
        )
      ),
    closing: definition.closing.map(inputs.write),
    judge
  }
}

/** Where an error was made: the first line of its stack that names a place. */
const placeOf = ({ stack }: Error): string => /^\s+at (.*)$/m.exec(stack ?? "")?.[1] ?? "nowhere"

/** What its author's code throws is a broken promise of the machine, and says where and for what: the core has no part in it. */
const attempt = <A>(invariant: string, about: string, run: () => A): A => {
  try {
    return run()
  } catch (cause) {
    const words = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)
    const place = cause instanceof Error ? `${placeOf(cause)}, ` : ""
    throw new Violation(invariant, `${words} (${place}${about})`)
  }
}

/** Texts whose values are kept: every member reads what one client wrote. */
const readMax = 64

const codec = <A, I>(schema: Schema.Schema<A, I>) => {
  const text = Schema.parseJson(schema)
  const decode = Schema.decodeSync(text)
  const encode = Schema.encodeSync(text)
  const values = new Map<string, A>()
  return {
    write: (value: A) => encode(value),
    read: (written: string): A => {
      const known = values.get(written)
      if (known !== undefined) return known
      const value = decode(written)
      if (values.size >= readMax) values.clear()
      values.set(written, value)
      return value
    }
  }
}

/** The machine itself, which does each operation once. */
const modelOf = <State, Input, Output, Spec, StateI, InputI, OutputI>(
  definition: Definition<State, Input, Output, Spec, StateI, InputI, OutputI>
): Linearizability.Model<Input, Output, State> => ({
  key: () => "the machine",
  init: definition.initial,
  apply: definition.apply,
  observes: input => definition.isRead(input),
  sameState: Schema.equivalence(definition.state),
  sameOutput: Schema.equivalence(definition.output),
  showInput: codec(definition.input).write,
  showOutput: codec(definition.output).write
})
