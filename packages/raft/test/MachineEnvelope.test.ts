import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Either from "effect/Either"
import * as fc from "fast-check"
import * as Answer from "../src/internal/machine/answer.js"
import { crc32 } from "../src/internal/machine/crc32.js"
import * as Envelope from "../src/internal/machine/envelope.js"

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
const text = (value: string) => new TextEncoder().encode(value)

/** The schema's own values, with texts that have a UTF-8. */
const envelopes = Arbitrary.make(Envelope.Envelope).filter(
  envelope =>
    !/\p{Surrogate}/u.test(
      envelope._tag === "TimerFired" ? envelope.name : "subject" in envelope ? envelope.subject : ""
    )
)

const answers: fc.Arbitrary<Answer.Answer> = fc.oneof(
  fc.uint8Array().map(reply => ({ _tag: "Replied" as const, reply })),
  fc.maxSafeNat().map(session => ({ _tag: "Registered" as const, session })),
  fc.maxSafeNat().map(effective => ({ _tag: "VersionConflict" as const, effective })),
  fc
    .constantFrom("unreadable" as const, "invalid_effect" as const)
    .map(reason => ({ _tag: "Refused" as const, reason })),
  fc
    .constantFrom(...(["Done", "SessionExpired", "SessionOutdated", "SessionOverloaded", "SessionsExhausted"] as const))
    .map(_tag => ({ _tag }))
)

describe("the envelope of a machine's entry", () => {
  it("comes back as it was, of every kind", () => {
    fc.assert(
      fc.property(envelopes, envelope => {
        assert.deepStrictEqual(Either.getOrThrow(Envelope.decode(Envelope.encode(envelope))), envelope)
      }),
      { numRuns: 500 }
    )
  })

  it("of a proposer whose clock shows a time before 1970 is as of 1970, and its command is what it was", () => {
    const body = text("12")
    for (const timeMillis of [-1, -200, -1_000_000_000]) {
      const bytes = Envelope.encode({ _tag: "Command", timeMillis, body })
      assert.deepStrictEqual(Envelope.decode(bytes), Either.right({ _tag: "Command", timeMillis: 0, body }))
    }
  })

  it("is written in format 1 as it always was: logs hold it", () => {
    const body = text("{}")
    const timeMillis = 1_000
    const written: ReadonlyArray<readonly [Envelope.Envelope, string]> = [
      [{ _tag: "Command", timeMillis, body }, "0100e8077b7d"],
      [{ _tag: "Request", timeMillis, session: 7, sequence: 300, lowest: 2, body }, "0101e80707ac02027b7d"],
      [{ _tag: "Register", timeMillis, timeoutMillis: 5_000 }, "0102e8078827"],
      [{ _tag: "KeepAlive", timeMillis, session: 7, lowest: 3 }, "0103e8070703"],
      [{ _tag: "Close", timeMillis, session: 7 }, "0104e80707"],
      [{ _tag: "Upgrade", timeMillis, from: 1, to: 2 }, "0105e8070102"],
      [{ _tag: "TimerFired", timeMillis, name: "t", armed: 9 }, "0106e807017409"],
      [{ _tag: "Down", timeMillis, subject: "[]", armed: 9, reason: "NoProc" }, "0107e807025b5d0904"],
      [{ _tag: "Tick", timeMillis }, "0108e807"]
    ]
    for (const [envelope, bytes] of written) assert.strictEqual(hex(Envelope.encode(envelope)), bytes)
  })

  it("is refused, and never throws, whatever the bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), bytes => {
        const decoded = Envelope.decode(bytes)
        if (Either.isRight(decoded)) assert.strictEqual(bytes[0], Envelope.format)
      }),
      { numRuns: 1_000 }
    )
  })

  it("is refused where it was cut, or something hangs on, unless a command's bytes end it", () => {
    fc.assert(
      fc.property(
        envelopes.filter(({ _tag }) => _tag !== "Command" && _tag !== "Request"),
        envelope => {
          const bytes = Envelope.encode(envelope)
          for (let end = 0; end < bytes.length; end++) {
            assert.isTrue(Either.isLeft(Envelope.decode(bytes.subarray(0, end))), `${end} of ${hex(bytes)}`)
          }
          assert.isTrue(Either.isLeft(Envelope.decode(Uint8Array.from([...bytes, 0]))))
        }
      ),
      { numRuns: 100 }
    )
  })

  it("is refused in another format, of an unknown kind, and beyond its limits", () => {
    const refused: ReadonlyArray<readonly [string, string]> = [
      ["no bytes", ""],
      ["format 2", "0208e807"],
      ["an unknown kind", "0109e807"],
      ["a time after the last date", `0108${"ff".repeat(7)}7f`],
      ["a number beyond 2^53", `0108${"ff".repeat(9)}01`],
      ["session 0", "0104e80700"],
      ["a time-out of 50 ms", "0102e80732"],
      ["a text that is no UTF-8", "0106e80701ff09"],
      ["a text longer than the rest", "0106e807ff7f7409"],
      ["an unknown reason", "0107e807025b5d0906"]
    ]
    for (const [what, bytes] of refused) {
      assert.isTrue(Either.isLeft(Envelope.decode(Buffer.from(bytes, "hex"))), what)
    }
    const large = { _tag: "Command" as const, timeMillis: 0, body: new Uint8Array(Envelope.commandBytesMax + 1) }
    assert.isTrue(Either.isLeft(Envelope.decode(Envelope.encode(large))))
  })
})

describe("the answer to an entry", () => {
  it("comes back as it was, of every kind", () => {
    fc.assert(
      fc.property(answers, answer => {
        assert.deepStrictEqual(Either.getOrThrow(Answer.decode(Answer.encode(answer))), answer)
      }),
      { numRuns: 300 }
    )
  })

  it("cannot be read in another format or of an unknown kind, and says so", () => {
    for (const bytes of ["", "0201", "0109", "010363"]) {
      assert.isTrue(Either.isLeft(Answer.decode(Buffer.from(bytes, "hex"))), bytes)
    }
  })
})

describe("crc32", () => {
  it("has the check value of the catalogue", () => {
    assert.strictEqual(crc32(text("123456789")), 0xcbf43926)
  })
})
