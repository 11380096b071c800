/**
 * What the operating system has refused, as Node.js tells it.
 *
 * @since 0.1.0
 */

const isCoded = (cause: unknown): cause is { readonly code: string } =>
  typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string"

/**
 * The system's name of the error, such as `EADDRINUSE`; `undefined` of what is no such error.
 *
 * @since 0.1.0
 * @category errors
 */
export const codeOf = (cause: unknown): string | undefined => (isCoded(cause) ? cause.code : undefined)
