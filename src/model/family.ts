/**
 * Which classes were extended from which (single-table inheritance): one table, and a column that tells the class of a
 * row. Knows classes and kinds only; what a mapper makes of them is in mapper.ts.
 *
 * A class that is defined as `class Film extends extend(Media, "film", …)` cannot be seen by `extend` itself, since
 * JavaScript tells a class nothing of those that extend it. It is known once it is used, or named by its base
 * (`static subclasses = () => [Film]`).
 *
 * @module
 */
import { ValidationError } from "../errors.ts";

/** A class as this module sees it. */
export interface FamilyClass {
  readonly name: string;
  readonly columns: Readonly<Record<string, unknown>>;
  readonly relations?: Readonly<Record<string, unknown>>;
  readonly subclasses?: () => readonly unknown[];
}

/** One call of `extend`. */
export interface Extension {
  readonly base: FamilyClass;
  readonly root: FamilyClass;
  /** What the discriminator holds in the rows of this class. */
  readonly kind: string;
  /** The property of the discriminator. */
  readonly discriminator: string;
  /** The class that `extend` returned. */
  readonly shell: FamilyClass;
  /** The class of the user's that extends it; null until it is known. */
  model: FamilyClass | null;
}

// Metadata of the classes themselves, not of any request, and no longer there than they are.
const byShell: WeakMap<object, Extension> = new WeakMap();
const byRoot: WeakMap<object, Extension[]> = new WeakMap();

/** The extensions of a model that is extended from no other; empty where there are none. They only grow. */
export function familyOf(root: object): readonly Extension[] {
  return byRoot.get(root) ?? [];
}

/** What a class was extended by; null for a model of its own. Costs a walk up its prototypes. */
export function extensionOf(model: object): Extension | null {
  for (let one: object | null = model; typeof one === "function"; one = Object.getPrototypeOf(one)) {
    const extension = byShell.get(one);
    if (extension !== undefined) return extension;
  }
  return null;
}

/** Makes an extension known. Throws a ValidationError when another one of the family has its kind. */
export function register(extension: Extension): void {
  const family = byRoot.get(extension.root) ?? [];
  const { root, kind } = extension;
  if (family.some((one) => one.kind === kind)) {
    throw new ValidationError(
      `extend() was given the kind ${JSON.stringify(kind)} of ${root.name} twice; give each subclass its own`,
    );
  }
  family.push(extension);
  byRoot.set(root, family);
  byShell.set(extension.shell, extension);
}

/** Takes note of the class that extends a shell. Throws a ValidationError when it does so without a kind of its own. */
export function learn(extension: Extension, model: FamilyClass): void {
  if (extension.model === model) return;
  const direct = model === extension.shell || Object.getPrototypeOf(model) === extension.shell;
  if (extension.model === null && direct) {
    extension.model = model;
    return;
  }
  throw new ValidationError(
    `${model.name} has the kind ${JSON.stringify(extension.kind)}, which is ${
      extension.model?.name ?? "another class"
    }'s; give it one of its own with extend()`,
  );
}

/** The class of an extension. Throws a ValidationError, which says what to do, when it is not known yet. */
export function modelOf({ model, root, kind }: Extension): FamilyClass {
  if (model !== null) return model;
  throw new ValidationError(
    `The class of ${root.name}'s kind ${JSON.stringify(kind)} is not known yet: name it on ${root.name}, ` +
      "as in static subclasses = () => [Film], or use it first",
  );
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

/** Refuses a kind that is not the class's own; undefined is its own. */
export function checkKind(model: FamilyClass, kind: unknown, doing: string): void {
  const extension = extensionOf(model);
  if (extension !== null) {
    if (kind === undefined || kind === extension.kind) return;
    throw new ValidationError(
      `${doing} was given the ${extension.discriminator} ${show(kind)}, and ${model.name} has ${
        show(extension.kind)
      }: ` +
        "leave it out",
    );
  }
  const other = familyOf(model).find((one) => one.kind === kind);
  if (other === undefined) return;
  throw new ValidationError(
    `${doing} was given the ${other.discriminator} ${show(kind)}, which is ${
      other.model?.name ?? "another class"
    }'s: make one of those`,
  );
}

function show(kind: unknown): string {
  return typeof kind === "string" ? JSON.stringify(kind) : `of type ${kind === null ? "null" : typeof kind}`;
}
