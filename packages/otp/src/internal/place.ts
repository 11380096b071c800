/**
 * Where a process can be known: under a name of its node, or under a key of a registry.
 */
import type { Kernel, Process } from "./kernel.js"
import type { Pid } from "./signal.js"

/**
 * A name that is kept somewhere else than in the process table: OTP's `{via, Module, Name}`. Made by `Registry.via`. Opaque.
 *
 * @since 0.1.0
 * @category names
 */
export abstract class Via {
  /** For people and logs. */
  abstract readonly label: string
  /** Takes the place for the process and makes it a holding of it, or returns who has the place. */
  abstract claim(process: Process): Process | undefined
  abstract lookup(): Process | undefined
}

/**
 * What a process can be called by: a name of its node, or a place in a registry.
 *
 * @since 0.1.0
 * @category names
 */
export type Name = string | Via

export const labelOf = (name: Name): string => (typeof name === "string" ? name : name.label)

export const claim = (kernel: Kernel, name: Name, process: Process): Process | undefined =>
  typeof name === "string" ? kernel.claim(name, process) : name.claim(process)

export const lookup = (kernel: Kernel, name: Name): Process | undefined =>
  typeof name === "string" ? kernel.names.get(name) : name.lookup()

/**
 * A process, or what it is called by.
 *
 * @since 0.1.0
 * @category names
 */
export type Address = { readonly pid: Pid } | { readonly name: Name } | Name

export const find = (kernel: Kernel, address: Address): Process | undefined => {
  if (typeof address === "string" || address instanceof Via) return lookup(kernel, address)
  return "pid" in address ? kernel.lookup(address.pid) : lookup(kernel, address.name)
}

export const describe = (address: Address): string => {
  if (typeof address === "string" || address instanceof Via) return labelOf(address)
  return "pid" in address ? address.pid.label : labelOf(address.name)
}
