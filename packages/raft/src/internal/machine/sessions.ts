/**
 * The sessions of a group's clients: what each has asked and was answered. Part of the replicated state, so every method is a function of the log alone.
 */

export interface Session {
  readonly id: number
  readonly timeoutMillis: number
  /** By the replicated time. */
  heardMillis: number
  /** The client has the answer to every request below this one, or does not want it. */
  lowest: number
  /** Answers by their requests' numbers, in the order in which they were applied. */
  readonly answers: Map<number, Uint8Array>
}

export const sessionsMax = 4096
/** Answers that a session may have unconfirmed; a client keeps fewer requests under way than this. */
export const answersMax = 256
/** What the unconfirmed answers of one session, and of all together, may weigh before no more requests are taken. The last one taken may go beyond it. */
const sessionBytesMax = 1024 * 1024
const totalBytesMax = 64 * 1024 * 1024
/** What an answer weighs beside its bytes. */
const answerOverheadBytes = 64

const weigh = (answer: Uint8Array): number => answer.length + answerOverheadBytes

export class Sessions {
  private readonly table = new Map<number, Session>()
  private readonly weights = new Map<number, number>()
  private totalBytes = 0
  /** There are new ones since this was last looked at. */
  grown = false
  /** No session ends before this; an early guess is only a look in vain. */
  private noneBeforeMillis = Number.POSITIVE_INFINITY

  get size(): number {
    return this.table.size
  }

  /** In the order of their ids, which is that of their registration. */
  all(): Iterable<Session> {
    return this.table.values()
  }

  get(id: number): Session | undefined {
    return this.table.get(id)
  }

  /** False: there are too many. */
  register(id: number, timeoutMillis: number, nowMillis: number): boolean {
    if (this.table.size >= sessionsMax) return false
    this.restore({ id, timeoutMillis, heardMillis: nowMillis, lowest: 1, answers: new Map() })
    this.grown = true
    return true
  }

  restore(session: Session): void {
    this.table.set(session.id, session)
    let bytes = 0
    for (const answer of session.answers.values()) bytes += weigh(answer)
    this.changeWeight(session.id, bytes)
    this.noneBeforeMillis = Math.min(this.noneBeforeMillis, deadlineOf(session))
  }

  close(id: number): boolean {
    this.changeWeight(id, -(this.weights.get(id) ?? 0))
    this.weights.delete(id)
    return this.table.delete(id)
  }

  /** Ends the sessions that were not heard of for longer than their time-outs, and tells their ids. */
  expire(nowMillis: number): ReadonlyArray<number> {
    if (nowMillis <= this.noneBeforeMillis) return []
    const due = Array.from(this.table.values()).filter(session => deadlineOf(session) < nowMillis)
    for (const { id } of due) this.close(id)
    this.noneBeforeMillis = this.deadlineMillis() ?? Number.POSITIVE_INFINITY
    return due.map(({ id }) => id)
  }

  /** The last instant at which all sessions still live if nothing is heard of them. */
  deadlineMillis(): number | undefined {
    let deadline: number | undefined
    for (const session of this.table.values())
      deadline = Math.min(deadline ?? Number.POSITIVE_INFINITY, deadlineOf(session))
    return deadline
  }

  /** The client is there, and needs no answer below `lowest` any more. */
  hear(session: Session, lowest: number, nowMillis: number): void {
    session.heardMillis = nowMillis
    if (lowest <= session.lowest) return
    session.lowest = lowest
    for (const [sequence, answer] of session.answers) {
      if (sequence >= lowest) continue
      session.answers.delete(sequence)
      this.changeWeight(session.id, -weigh(answer))
    }
  }

  /** The lowest request of a session is taken even if the session is full: nothing can be confirmed before it is answered. */
  hasRoom(session: Session, sequence: number): boolean {
    if (this.totalBytes >= totalBytesMax) return false
    if (sequence === session.lowest) return true
    return session.answers.size < answersMax && (this.weights.get(session.id) ?? 0) < sessionBytesMax
  }

  keep(session: Session, sequence: number, answer: Uint8Array): void {
    session.answers.set(sequence, answer)
    this.changeWeight(session.id, weigh(answer))
  }

  private changeWeight(id: number, bytes: number): void {
    this.totalBytes += bytes
    this.weights.set(id, (this.weights.get(id) ?? 0) + bytes)
  }
}

const deadlineOf = (session: Session): number => session.heardMillis + session.timeoutMillis
