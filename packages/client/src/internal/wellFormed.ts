import * as Schema from "effect/Schema"

/** Text that survives UTF-8: half of a surrogate pair would become another character on the way, and two names could become one. */
export const wellFormed = Schema.filter<typeof Schema.String>(text => !/\p{Surrogate}/u.test(text), {
  message: () => "text with half of a surrogate pair"
})
