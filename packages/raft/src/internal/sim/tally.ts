/** What has come about in a run, counted. */
export class Tally {
  readsServed = 0
  changesCommitted = 0
  /** Leaders that handed over. */
  transfers = 0
  snapshotsInstalled = 0
  /** Installs that a crash cut, and the next start ended. */
  installsEnded = 0
  /** Pieces, and whole snapshots, that were refused for their checksum. */
  snapshotsRefused = 0
  /** Members that met with rot, or with a hole, and stopped. */
  damageNoticed = 0
}
