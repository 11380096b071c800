import type * as Exit from "effect/Exit"

/** Tells a caller how its request ended; once. */
export type Reply<A, E> = (exit: Exit.Exit<A, E>) => void
