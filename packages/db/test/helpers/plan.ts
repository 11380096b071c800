/** The steps of a compound of searches that SQLite answers one after the other, or merges as they come: it sorts nothing for them. */
const isOfCompound = (step: string): boolean =>
  /^(COMPOUND QUERY|LEFT-MOST SUBQUERY|UNION ALL|MERGE \(UNION ALL\)|LEFT|RIGHT)$/.test(step)

/** Whether a step of a query's plan finds rows by a key, or belongs to several that do. */
export const isSearch = (step: string): boolean => step.startsWith("SEARCH ") || isOfCompound(step)
