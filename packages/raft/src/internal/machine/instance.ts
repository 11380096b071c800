/**
 * A machine's state under the rules of the version in force, with the types of both closed over: whoever drives it needs to know neither the state's type in
 * that version nor which version it is.
 */
import * as Either from "effect/Either"
import type { Definition, Info, Meta } from "../../Machine.js"
import type { MachineEffect } from "../../MachineEffect.js"
import { broken } from "../core/invariant.js"
import type * as Codec from "./codec.js"
import type * as Parts from "./parts.js"

export interface Step<out State, out Notification> {
  readonly instance: Instance<State, Notification>
  readonly effects: ReadonlyArray<MachineEffect<Notification>>
}

export interface ReplyStep<out State, out Notification> extends Step<State, Notification> {
  readonly reply: Uint8Array
}

export interface Instance<out State, out Notification> {
  readonly version: number
  /** The state as the newest version sees it. */
  readonly view: () => State
  /** Why the command cannot be read, where it cannot. */
  readonly apply: (command: Uint8Array, meta: Meta) => Either.Either<ReplyStep<State, Notification>, Codec.Unreadable>
  readonly info: (info: Info, meta: Meta) => Step<State, Notification>
  /** The same under the rules of the next version; none where this is the newest. */
  readonly upgraded: () => Instance<State, Notification> | undefined
  /** The parts of the state as it is now, encoded when they are asked for. */
  readonly encode: () => Iterable<Uint8Array>
}

/** What a version's code has that makes instances of it. */
export interface Rules<State, Command, Reply> {
  readonly command: Codec.Codec<Command>
  readonly reply: Codec.Codec<Reply>
  readonly state: Parts.Parts<State>
}

const orBroken = <A>(what: string, version: number, encoded: Either.Either<A, { readonly message: string }>): A =>
  Either.getOrElse(encoded, error => broken(`${what} passes its schema: ${error.message}`, { version }))

export const make = <State, Command, Reply, Notification>(
  version: number,
  rules: Rules<State, Command, Reply>,
  definition: Pick<Definition<State, Command, Reply, Notification>, "apply" | "info">,
  state: State
): Instance<State, Notification> => {
  const next = (state: State) => make(version, rules, definition, state)
  return {
    version,
    view: () => state,
    apply: (bytes, meta) =>
      Either.map(rules.command.decode(bytes), command => {
        const outcome = definition.apply(command, state, meta)
        const reply = orBroken("a reply", version, rules.reply.encode(outcome.reply))
        return { instance: next(outcome.state), reply, effects: outcome.effects }
      }),
    info: (info, meta) => {
      const outcome = definition.info?.(info, state, meta)
      return outcome === undefined
        ? { instance: next(state), effects: [] }
        : { instance: next(outcome.state), effects: outcome.effects }
    },
    upgraded: () => undefined,
    encode: function* () {
      for (const part of rules.state.encode(state)) yield orBroken("the state", version, part)
    }
  }
}

/** An instance of an older version, for code that knows how to go on from its newest state. */
export const outgrow = <Old, State, Notification>(
  old: Instance<Old, Notification>,
  upgrade: (state: Old) => State,
  begin: (state: State) => Instance<State, Notification>
): Instance<State, Notification> => {
  const wrap = (instance: Instance<Old, Notification>) => outgrow(instance, upgrade, begin)
  return {
    version: old.version,
    view: () => upgrade(old.view()),
    apply: (command, meta) =>
      Either.map(old.apply(command, meta), step => ({ ...step, instance: wrap(step.instance) })),
    info: (info, meta) => {
      const step = old.info(info, meta)
      return { ...step, instance: wrap(step.instance) }
    },
    upgraded: () => {
      const newer = old.upgraded()
      return newer === undefined ? begin(upgrade(old.view())) : wrap(newer)
    },
    encode: old.encode
  }
}
