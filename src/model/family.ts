/**
 * Which classes were extended from which (single-table inheritance): one table, and a column that tells the class of a
 * row. What comes of it is in subclasses.ts, which a program has in its bundle where it calls `extend`.
 *
 * A class that is defined as `class Film extends extend(Media, "film", …)` cannot be seen by `extend` itself, since
 * JavaScript tells a class nothing of those that extend it. It is known once it is used, or named by its base
 * (`static subclasses = () => [Film]`).
 *
 * @module
 */
import type { Extension, Family } from "./subclasses.ts";

/** A class as this module sees it. */
export interface FamilyClass {
  readonly name: string;
  readonly columns: Readonly<Record<string, unknown>>;
  readonly relations?: Readonly<Record<string, unknown>>;
  readonly subclasses?: () => readonly unknown[];
}

// Metadata of the classes themselves, not of any request, and no longer there than they are.
const byShell: WeakMap<object, Extension> = new WeakMap();
const byRoot: WeakMap<object, Family> = new WeakMap();

/** The family of a model that is extended from no other; undefined where no class was extended from it. */
export function familyOf(root: object): Family | undefined {
  return byRoot.get(root);
}

/** What a class was extended by; null for a model of its own. Costs a walk up its prototypes. */
export function extensionOf(model: object): Extension | null {
  for (let one: object | null = model; typeof one === "function"; one = Object.getPrototypeOf(one)) {
    const extension = byShell.get(one);
    if (extension !== undefined) return extension;
  }
  return null;
}

/** Makes an extension known. */
export function register(family: Family, shell: object, extension: Extension): void {
  byRoot.set(family.root, family);
  byShell.set(shell, extension);
}

/** The relations that a class declares, with those of the classes that it was extended from. */
export function relationsOf<R>(
  model: { readonly relations?: Readonly<Record<string, R>> },
): Readonly<Record<string, R>> {
  const own = model.relations ?? {};
  const extension = extensionOf(model);
  if (extension === null) return own;
  const inherited = relationsOf(extension.base as { readonly relations?: Readonly<Record<string, R>> });
  return Object.hasOwn(model, "relations") ? { ...inherited, ...own } : inherited;
}

/** Refuses a kind that is not the class's own; undefined is an extension's own. */
export function checkKind(model: FamilyClass, kind: unknown, doing: string): void {
  const extension = extensionOf(model);
  const family = extension?.family ?? familyOf(model);
  family?.checkKind(model, extension, kind, doing);
}
