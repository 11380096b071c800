import { RaftCore } from "@reckon/raft"
import { Member } from "../core/member.js"
import { membershipMutants } from "../core/membershipMutants.js"
import { mutants, type StepFunction } from "../core/mutants.js"
import { snapshotMutants } from "../core/snapshotMutants.js"
import { scriptMutants } from "./mutants.js"

/** Every core with one rule broken, by name. */
export const allMutants: Readonly<Record<string, StepFunction>> = {
  ...mutants,
  ...membershipMutants,
  ...snapshotMutants,
  ...scriptMutants
}

let chosen: StepFunction = RaftCore.step

/** Puts another core under test than the true one. Only the mutants' runner does. */
export const use = (step: StepFunction): void => {
  chosen = step
}

/** The core under test. */
export const step: StepFunction = (state, input, log) => chosen(state, input, log)

/** A member alone, as {@link Member}, over the core under test. */
export class Subject extends Member {
  private newest: { readonly token: number; readonly lastIndex: number } | undefined

  override raw(input: RaftCore.Input): ReadonlyArray<RaftCore.Output> {
    const { outputs, state } = step(this.state, input, this.view())
    this.state = state
    for (const output of outputs) {
      if (output._tag === "Persist") {
        if (output.truncateFrom !== undefined) this.log.length = output.truncateFrom - this.base.index - 1
        this.log.push(...output.entries)
        this.newest = output
      } else if (output._tag === "Install") {
        this.base = output.snapshot
        this.log = []
        this.newest = { token: output.token, lastIndex: output.snapshot.index }
      }
    }
    return outputs
  }

  override sync(): ReadonlyArray<string> {
    if (this.newest === undefined || this.newest.token === this.state.persistedToken) return []
    return this.persisted(this.newest.token, this.newest.lastIndex)
  }
}
