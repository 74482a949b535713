/**
 * Private fields on instances of other classes, for what is known of an instance beside it.
 *
 * @module
 */

/**
 * Returns what it is given, so that a class that extends it can put a private field on that: nobody else can see it, and no
 * key, copy or JSON of the instance holds it. Not a WeakMap: what one holds lives until the next collection of the whole
 * heap (a scavenge of V8 takes the values of an old map for alive), so that a stream would fill 100 MiB with instances that
 * nobody has any more, and each entry costs as much as the rest of an instance.
 */
export class Bearer {
  constructor(instance: object) {
    return instance;
  }
}
