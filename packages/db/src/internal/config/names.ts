/** The names of settings: in the environment, in an object, and which of them is nearest to one that does not exist. */

/** Where a setting is in the object of all settings. */
export type Path = ReadonlyArray<string>

/** Settings of a store, by the end of the variable's name. After `RECKON_` it is the default of every store. */
const ofStore: Readonly<Record<string, Path>> = {
  MODE: ["mode"],
  WRITER_POOL_SIZE: ["writerPoolSize"],
  READER_POOL_SIZE: ["readerPoolSize"],
  READ_THREAD: ["readThread"],
  GATEWAY_POOL_SIZE: ["gatewayPoolSize"],
  EMITTER_POOL_SIZE: ["emitterPoolSize"],
  WRITER_IDLE_TIMEOUT: ["writerIdleTimeout"],
  READER_IDLE_TIMEOUT: ["readerIdleTimeout"],
  PERSISTENCE_INTERVAL: ["persistenceInterval"],
  SUBSCRIPTION_HEALTH_INTERVAL: ["subscriptionHealthInterval"],
  LEASE_READS: ["leaseReads"],
  TRACE_BYTES_MAX: ["traceBytesMax"],
  LOG_ENTRIES_MAX: ["log", "entriesMax"],
  LOG_BYTES_MAX: ["log", "bytesMax"],
  LOG_TAIL_ENTRIES: ["log", "tailEntries"],
  LOG_TAIL_BYTES: ["log", "tailBytes"]
}

const ofNode: Readonly<Record<string, Path>> = {
  RECKON_DATA_DIR: ["dataDir"],
  RECKON_CLUSTER_SECRET: ["clusterSecret"],
  RECKON_TELEMETRY_HANDLERS: ["telemetryHandlers"],
  RECKON_EVENT_BYTES_MAX: ["limits", "eventBytesMax"],
  RECKON_REQUEST_BYTES_MAX: ["limits", "requestBytesMax"],
  // Not RECKON_TIMEOUT, which is a client's: how long it waits for an answer.
  RECKON_DEFAULT_TIMEOUT: ["defaults", "timeout"],
  RECKON_HEALTH_PROBE_INTERVAL: ["health", "probeInterval"],
  RECKON_HEALTH_PROBE_TIMEOUT: ["health", "probeTimeout"],
  RECKON_HEALTH_FAILURE_THRESHOLD: ["health", "failureThreshold"],
  RECKON_HEALTH_PROBE_TYPE: ["health", "probeType"],
  RECKON_CONSISTENCY_CHECK_INTERVAL: ["consistency", "checkInterval"],
  RECKON_MEMORY_ELEVATED_THRESHOLD: ["memory", "elevatedThreshold"],
  RECKON_MEMORY_CRITICAL_THRESHOLD: ["memory", "criticalThreshold"],
  RECKON_MEMORY_CHECK_INTERVAL: ["memory", "checkInterval"],
  RECKON_DISCOVERY_METHOD: ["discovery", "method"],
  RECKON_DISCOVERY_PORT: ["discovery", "port"],
  RECKON_DISCOVERY_MULTICAST_ADDR: ["discovery", "multicastAddr"],
  RECKON_DISCOVERY_BROADCAST_INTERVAL: ["discovery", "broadcastInterval"]
}

/** The variable that names the stores. */
export const storesVariable = "RECKON_STORES"

/** Variables that a program outside the cluster reads. */
const ofClient: ReadonlyArray<string> = ["RECKON_ENDPOINTS", "RECKON_STORE", "RECKON_TIMEOUT"]

/** A variable, and where the setting is that it holds. */
export interface Variable {
  readonly name: string
  readonly path: Path
}

/** The variables of the node and of the defaults of its stores. */
export const nodeVariables: ReadonlyArray<Variable> = [
  ...Object.entries(ofNode).map(([name, path]) => ({ name, path })),
  ...Object.entries(ofStore).map(([end, path]) => ({ name: `RECKON_${end}`, path: ["defaults", ...path] }))
]

/** A store's id within a variable's name: upper case, with `_` for `-` and `.`. */
const mangled = (store: string): string => store.toUpperCase().replaceAll(/[-.]/g, "_")

/** The variables of one store; their settings are at `stores`, then its id. */
export const storeVariables = (store: string): ReadonlyArray<Variable> =>
  Object.entries({ ...ofStore, DATA_DIR: ["dataDir"], TIMEOUT: ["timeout"] }).map(([end, path]) => ({
    name: `RECKON_STORE_${mangled(store)}_${end}`,
    path: ["stores", store, ...path]
  }))

/** Every variable that means something where there are these stores. */
export const knownVariables = (stores: ReadonlyArray<string>): ReadonlyArray<string> => [
  storesVariable,
  ...nodeVariables.map(({ name }) => name),
  ...stores.flatMap(storeVariables).map(({ name }) => name),
  ...ofClient
]

/** How many characters must be put in, left out or exchanged to make one text of the other (Levenshtein 1966). */
const distance = (one: string, other: string): number => {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at)
  for (let i = 1; i <= one.length; i++) {
    const above = row
    row = [i]
    for (let j = 1; j <= other.length; j++) {
      const exchanged = (above[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1)
      row.push(Math.min(exchanged, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1))
    }
  }
  return row[other.length] ?? 0
}

/** What counts of a name: neither case nor punctuation, nor what all variables begin with. */
const letters = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, "")
    .replace(/^reckon/, "")

/**
 * The name among `known` that this one was probably meant to be, if there is one: at most a third of it is different, or one of them is a part
 * of the other.
 */
export const nearest = (name: string, known: ReadonlyArray<string>): string | undefined => {
  const meant = letters(name)
  // No setting has a name of nearly 160 characters; the work grows with the square of it.
  if (meant.length < 3 || meant.length > 160) return undefined
  let best: { readonly name: string; readonly distance: number } | undefined
  for (const candidate of known) {
    const other = letters(candidate)
    const found = distance(meant, other)
    const close = found <= meant.length / 3 || other.includes(meant) || meant.includes(other)
    if (close && (best === undefined || found < best.distance)) best = { name: candidate, distance: found }
  }
  return best?.name
}
