import type * as Linearizability from "../../Linearizability.js"
import type { Last, Workload } from "../../Simulator.js"

/** Operations whose outcome nobody learns make the search harder, each by its own; so there are few. */
const abandonedMax = 6

export const names: ReadonlyArray<string> = ["c1", "c2", "c3", "c4"]

interface Operation {
  readonly id: number
  readonly client: string
  readonly input: string
  /** Attempts that were not refused: any of them may still answer. */
  readonly attempts: Set<number>
}

/** What an attempt asks of a member. */
export interface Request {
  readonly attempt: number
  readonly input: string
  readonly isRead: boolean
}

/**
 * The clients of the group, each with one operation at a time, and the history of what they saw.
 *
 * A client asks again as long as it has no answer, through whichever member, for the same operation: an earlier attempt may have taken effect, and the machine has to
 * know the operation again. The first answer counts. An operation that was refused on every attempt failed. One that is given up has no end.
 */
export class Clients {
  readonly history: Array<Linearizability.Event<string, string>> = []
  private readonly open = new Map<string, Operation>()
  private readonly attempts = new Map<number, Operation>()
  private readonly last = new Map<string, Last<string, string>>()
  private calls = 0
  private abandoned = 0

  constructor(private readonly workload: Workload) {}

  isBusy(client: string): boolean {
    return this.open.has(client)
  }

  get mayAbandon(): boolean {
    return this.abandoned < abandonedMax
  }

  get nextCall(): number {
    return this.calls + 1
  }

  lastOf(client: string): Last<string, string> | undefined {
    return this.last.get(client)
  }

  call(client: string, input: string): boolean {
    if (this.isBusy(client)) return false
    this.calls += 1
    this.open.set(client, { id: this.calls, client, input, attempts: new Set() })
    this.history.push({ _tag: "Call", id: this.calls, client, input })
    return true
  }

  ask(client: string, attempt: number): Request | undefined {
    const operation = this.open.get(client)
    if (operation === undefined) return undefined
    operation.attempts.add(attempt)
    this.attempts.set(attempt, operation)
    return { attempt, input: operation.input, isRead: this.workload.isRead(operation.input) }
  }

  /** What an attempt asks for; nothing once its operation has ended. */
  inputOf(attempt: number): string | undefined {
    return this.pending(attempt)?.input
  }

  private pending(attempt: number): Operation | undefined {
    const operation = this.attempts.get(attempt)
    return operation !== undefined && this.open.get(operation.client) === operation ? operation : undefined
  }

  answer(attempt: number, output: string): void {
    const operation = this.pending(attempt)
    if (operation === undefined) return
    this.open.delete(operation.client)
    this.last.set(operation.client, { input: operation.input, output })
    this.history.push({ _tag: "Return", id: operation.id, output })
  }

  /** The attempt had no effect and never will have. */
  refuse(attempt: number): void {
    const operation = this.pending(attempt)
    if (operation === undefined) return
    operation.attempts.delete(attempt)
    if (operation.attempts.size > 0) return
    this.open.delete(operation.client)
    this.history.push({ _tag: "Fail", id: operation.id })
  }

  abandon(client: string): boolean {
    if (!this.mayAbandon || !this.open.delete(client)) return false
    this.abandoned += 1
    return true
  }
}
