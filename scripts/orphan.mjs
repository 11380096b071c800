/**
 * Loaded ahead of the cluster by start.mjs: when the channel to the parent closes, the parent is gone, and a cluster that nobody can
 * reach with Ctrl-C any more stops as if it had been asked to.
 */
if (process.channel !== undefined) {
  process.once("disconnect", () => process.kill(process.pid, "SIGTERM"))
  process.channel.unref()
}
