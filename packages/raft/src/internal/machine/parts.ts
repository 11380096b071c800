/**
 * A state as a row of parts, each of which becomes bytes by itself: nobody has to wait for all of them.
 */
import * as Either from "effect/Either"
import type * as Codec from "./codec.js"

export interface Parts<in out A> {
  /** In the order in which they are to be read. Looks at the value as it goes on, so nothing may change in it. */
  readonly encode: (value: A) => Iterable<Either.Either<Uint8Array, Codec.Unreadable>>
  readonly read: () => Reader<A>
}

/** Takes the parts of one value, one after the other. */
export interface Reader<out A> {
  /** Why the part cannot be read, where it cannot. */
  readonly take: (bytes: Uint8Array) => Either.Either<void, Codec.Unreadable>
  readonly end: () => Either.Either<A, Codec.Unreadable>
}

const unreadable = (message: string): Either.Either<never, Codec.Unreadable> => Either.left({ message })

/** Everything is one part. */
export const whole = <A>(codec: Codec.Codec<A>): Parts<A> => ({
  encode: value => [codec.keep(value)],
  read: () => {
    let found: Either.Either<A, Codec.Unreadable> = unreadable("there is no state")
    let parts = 0
    return {
      take: bytes => {
        parts += 1
        found = parts === 1 ? codec.decode(bytes) : unreadable("there is more than one state")
        return Either.map(found, () => undefined)
      },
      end: () => found
    }
  }
})

/** As many as `split` makes; the value begins as `empty` and grows with each. */
export const many = <A, Part>(options: {
  readonly codec: Codec.Codec<Part>
  readonly split: (value: A) => Iterable<Part>
  readonly empty: A
  readonly add: (value: A, part: Part) => A
}): Parts<A> => ({
  encode: function* (value) {
    for (const part of options.split(value)) yield options.codec.keep(part)
  },
  read: () => {
    let value = options.empty
    return {
      take: bytes =>
        Either.map(options.codec.decode(bytes), part => {
          value = options.add(value, part)
        }),
      end: () => Either.right(value)
    }
  }
})

export const map = <A, B>(reader: Reader<A>, f: (value: A) => B): Reader<B> => ({
  take: reader.take,
  end: () => Either.map(reader.end(), f)
})
