/** Ends a sequence that has come to what nothing says what should be of it. */
export class LeftOut extends Error {}
