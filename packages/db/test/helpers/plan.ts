/** The steps of a compound of searches that SQLite answers one after the other, or merges as they come: it sorts nothing for them. What a subquery finds is taken from it row by row. */
const isOfCompound = (step: string): boolean =>
  /^(COMPOUND QUERY|LEFT-MOST SUBQUERY|UNION ALL|MERGE \(UNION ALL\)|LEFT|RIGHT|(CO-ROUTINE|SCAN) \(subquery-\d+\))$/.test(
    step
  )

/** Whether a step of a query's plan finds rows by a key, or belongs to several that do. */
export const isSearch = (step: string): boolean => step.startsWith("SEARCH ") || isOfCompound(step)
