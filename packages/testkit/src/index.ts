/**
 * What tests of supervised, event-sourced code need.
 *
 * @since 0.1.0
 */
export {}
