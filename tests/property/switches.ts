/** What is left out of the search until the session does it right: each is named after the situation. */
export const leftOut = {
  /** Adding an instance whose deletion was committed. */
  addGone: true,
  /** Rolling back after an expunged row was loaded again as another instance. */
  reloadExpunged: true,
  /** A many-to-many collection that holds what is deleted. */
  deletedInLinks: true,
  /** A relation that was loaded inside a savepoint that is rolled back, of an instance changed before it. */
  loadedInsideSavepoint: true,
  /** A relation set to what its row holds, beside a foreign key set to something else. */
  relationSaysNothingNew: true,
  /** Touching, before a rollback, what was loaded after uncommitted writes. */
  touchedUncertain: true,
};

/** Ends a sequence that has come to what is left out. */
export class LeftOut extends Error {}
