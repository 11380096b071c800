/**
 * Everything that is the same on all members: the machine's state, the replicated time, the sessions, timers and monitors. A deterministic function of the log;
 * it knows neither a clock nor who leads.
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { LogEntry } from "../../LogEntry.js"
import type { Info, Meta } from "../../Machine.js"
import type { RefusalReason } from "../../MachineError.js"
import { assertInvariant } from "../core/invariant.js"
import * as Answer from "./answer.js"
import * as Envelope from "./envelope.js"
import type { Instance, Step } from "./instance.js"
import { Obligations } from "./obligations.js"
import { Sessions } from "./sessions.js"

/** A larger reply is refused, and its command with it. */
const replyBytesMax = 1024 * 1024

export interface Taken<Notification> {
  readonly answer: Uint8Array
  readonly notifications: ReadonlyArray<Notification>
  /** Of news whose transition was refused for its effects: there is nobody to answer. */
  readonly refusals: ReadonlyArray<RefusalReason>
}

const noBytes = new Uint8Array(0)
const nothing: Taken<never> = { answer: noBytes, notifications: [], refusals: [] }

export class Replicated<State, Notification> {
  index = 0
  term = 0
  timeMillis = 0
  releasedIndex = 0
  /** The version that the next entry asks for and the code does not know. */
  required: number | undefined
  readonly sessions = new Sessions()
  readonly obligations = new Obligations()

  private notifications: Array<Notification> = []
  private refusals: Array<RefusalReason> = []

  constructor(
    /** The newest version that the code knows. */
    private readonly supported: number,
    public instance: Instance<State, Notification>
  ) {}

  /** Applies the next entry, or none where its version is not known here. */
  take(entry: LogEntry): Option.Option<Taken<Notification>> {
    assertInvariant(entry.index === this.index + 1, "entries are applied in their order", {
      index: entry.index,
      applied: this.index
    })
    if (entry.kind !== "command") {
      this.advance(entry)
      return Option.some(nothing)
    }
    const decoded = Envelope.decode(entry.payload)
    if (Either.isRight(decoded) && this.isBeyond(decoded.right)) return Option.none()
    this.advance(entry)
    if (Either.isLeft(decoded)) return Option.some({ ...nothing, answer: Answer.encode(refused("unreadable")) })

    this.timeMillis = Math.max(this.timeMillis, decoded.right.timeMillis)
    this.notifications = []
    this.refusals = []
    for (const session of this.sessions.expire(this.timeMillis)) {
      this.inform({ _tag: "SessionEnded", session, reason: "expired" })
    }
    const answer = this.carryOut(decoded.right)
    return Option.some({ answer, notifications: this.notifications, refusals: this.refusals })
  }

  private advance({ index, term }: LogEntry): void {
    this.index = index
    this.term = term
  }

  /** Decided before anything is touched: the entry is applied as a whole once the code knows the version. */
  private isBeyond(envelope: Envelope.Envelope): boolean {
    const isUpgrade = envelope._tag === "Upgrade" && envelope.from === this.instance.version
    this.required = isUpgrade && envelope.to > this.supported ? envelope.to : undefined
    return this.required !== undefined
  }

  private carryOut(envelope: Envelope.Envelope): Uint8Array {
    switch (envelope._tag) {
      case "Command":
        return this.command(envelope.body, undefined)
      case "Request":
        return this.request(envelope)
      case "Register":
        return Answer.encode(
          this.sessions.register(this.index, envelope.timeoutMillis, this.timeMillis)
            ? { _tag: "Registered", session: this.index }
            : { _tag: "SessionsExhausted" }
        )
      case "KeepAlive": {
        const session = this.sessions.get(envelope.session)
        if (session === undefined) return sessionExpired
        this.sessions.hear(session, envelope.lowest, this.timeMillis)
        return done
      }
      case "Close":
        if (!this.sessions.close(envelope.session)) return sessionExpired
        this.inform({ _tag: "SessionEnded", session: envelope.session, reason: "closed" })
        return done
      case "Upgrade":
        return this.upgrade(envelope.from, envelope.to)
      case "TimerFired":
        if (this.obligations.fire(envelope.name, envelope.armed)) {
          this.inform({ _tag: "TimerFired", name: envelope.name })
        }
        return done
      case "Down": {
        const subject = this.obligations.down(envelope.subject, envelope.armed)
        if (subject !== undefined) this.inform({ _tag: "Down", subject, reason: envelope.reason })
        return done
      }
      case "Tick":
        return done
    }
  }

  private request(request: Extract<Envelope.Envelope, { readonly _tag: "Request" }>): Uint8Array {
    const session = this.sessions.get(request.session)
    if (session === undefined) return sessionExpired
    this.sessions.hear(session, request.lowest, this.timeMillis)
    if (request.sequence < session.lowest) return sessionOutdated
    const answered = session.answers.get(request.sequence)
    if (answered !== undefined) return answered
    if (!this.sessions.hasRoom(session, request.sequence)) return sessionOverloaded
    // A refusal is kept like any answer: the same request gets it again, whatever version is in force by then.
    const answer = this.command(request.body, session.id)
    this.sessions.keep(session, request.sequence, answer)
    return answer
  }

  private command(body: Uint8Array, session: number | undefined): Uint8Array {
    const applied = this.instance.apply(body, this.meta(session))
    if (Either.isLeft(applied)) return Answer.encode(refused("unreadable"))
    const { reply } = applied.right
    const refusal = reply.length > replyBytesMax ? "reply_too_large" : this.follow(applied.right)
    return Answer.encode(refusal === undefined ? { _tag: "Replied", reply } : refused(refusal))
  }

  private inform(info: Info): void {
    const refusal = this.follow(this.instance.info(info, this.meta(undefined)))
    if (refusal !== undefined) this.refusals.push(refusal)
  }

  /** Takes the step, or all of it not. */
  private follow(step: Step<State, Notification>): RefusalReason | undefined {
    const refusal = this.obligations.refusal(step.effects)
    if (refusal !== undefined) return refusal
    this.instance = step.instance
    for (const effect of step.effects) {
      if (effect._tag === "Notify") this.notifications.push(effect.notification)
      else if (effect._tag === "Release") this.releasedIndex = this.index
      else this.obligations.take(effect, this.index, this.timeMillis)
    }
    return undefined
  }

  private upgrade(from: number, to: number): Uint8Array {
    const effective = this.instance.version
    if (from !== effective || to <= effective) return Answer.encode({ _tag: "VersionConflict", effective })
    while (this.instance.version < to) {
      const next = this.instance.upgraded()
      assertInvariant(next !== undefined, "the code knows the version", { to, version: this.instance.version })
      this.instance = next
    }
    return done
  }

  private meta(session: number | undefined): Meta {
    const { index, instance, term, timeMillis } = this
    return { index, term, timeMillis, version: instance.version, session }
  }
}

const refused = (reason: RefusalReason): Answer.Answer => ({ _tag: "Refused", reason })
const done = Answer.encode({ _tag: "Done" })
const sessionExpired = Answer.encode({ _tag: "SessionExpired" })
const sessionOutdated = Answer.encode({ _tag: "SessionOutdated" })
const sessionOverloaded = Answer.encode({ _tag: "SessionOverloaded" })
