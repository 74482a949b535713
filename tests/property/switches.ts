/** What is left out of the search until the session does it right: each is named after the situation. */
export const leftOut = {
  /** Taking out of the session what was inserted in this transaction. */
  expungeUncommitted: true,
  /** Changing a collection while one of its members is given another parent by itself. */
  settledMemberLeft: true,
  /** Deleting an instance, or giving it another parent, while its foreign key is expired. */
  expiredChildLeaves: true,
  /** A unique value that a deleted parent frees for the new parent of its child. */
  uniqueAndForeignKeyCycle: true,
  /** Loading a collection that was added to, inside a savepoint that is rolled back. */
  loadedInsideSavepoint: true,
  /** Inserting what has the key of a persistent instance whose row is gone. */
  pendingBesidePersistent: true,
  /** Loading a parent by a foreign key that is not written yet. */
  loadedByChangedKey: true,
  /** An SQL expression given to an expired instance. */
  expressionOnExpired: true,
  /** Changing a collection that holds an expired member. */
  expiredMember: true,
  /** Expiring what was taken out of the session and added again in the same transaction. */
  addedAgainExpired: true,
  /** Refreshing inside a savepoint that is rolled back what was changed before it. */
  refreshedInsideSavepoint: true,
  /** Rolling back what was loaded after uncommitted writes inside a savepoint. */
  uncertainInsideSavepoint: true,
};

/** Ends a sequence that has come to what is left out. */
export class LeftOut extends Error {}
