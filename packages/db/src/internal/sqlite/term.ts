import type { NewEvent } from "@reckon/client/Event"
import { type MetadataField, searchableFields } from "@reckon/client/Query"

/** FNV-1a, two 32-bit halves of different seeds, cut to the 53 bits that a number holds exactly. */
const hash = (text: string): number => {
  let high = 0x811c9dc5
  let low = 0x2f0b4c47
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    high = Math.imul(high ^ unit, 0x01000193)
    low = Math.imul(low ^ unit, 0x01000193) ^ (high >>> 13)
  }
  return (high >>> 11) * 2 ** 32 + (low >>> 0)
}

/** What stands in the index for a metadata field with a value. It is in the files: never changed. Two of them may have the same term. */
export const termOf = (field: string, value: MetadataField["value"]): number => {
  // Values that are not equal have different texts: 1 and "1" differ in the letter of their type.
  const letter = typeof value === "string" ? "s" : typeof value === "number" ? "n" : "b"
  return hash(`${field.length}.${field}${letter}${value}`)
}

export const termOfCriterion = ({ field, value }: MetadataField): number => termOf(field, value)

const noTerms: ReadonlySet<number> = new Set()

/** The terms by which an event's metadata can be found. */
export const termsOf = (event: Pick<NewEvent, "metadata" | "metadataContentType">): ReadonlySet<number> => {
  if (event.metadata === null) return noTerms
  const terms = new Set<number>()
  for (const [field, value] of searchableFields(event)) terms.add(termOf(field, value))
  return terms
}
