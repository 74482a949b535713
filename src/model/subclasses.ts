/**
 * Single-table inheritance: which classes were extended from which, and which of them a row belongs to. `extend` makes a
 * family known to its models, which ask it; so a program that extends none is without this.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import { type FamilyClass, register } from "./family.ts";
import { mapColumn, type MappedColumn, type Mapper, mapperOf, type ModelStatics } from "./mapper.ts";

/** The rows of a model that has subclasses: what is read of them, and how each class finds its own in it. */
interface Reading {
  /** How many subclasses there were when this was made; more may be declared later. */
  readonly size: number;
  readonly columns: readonly MappedColumn[];
  readonly kinds: readonly string[];
  /** By kind: where the columns of the class are in a row that was read. */
  readonly places: Map<unknown, { readonly mapper: Mapper; readonly at: readonly number[] }>;
}

/** One call of `extend`. */
export class Extension {
  readonly base: FamilyClass;
  readonly family: Family;
  /** What the discriminator holds in the rows of this class. */
  readonly kind: string;
  /** The class that `extend` returned. */
  readonly shell: FamilyClass;
  #model: FamilyClass | null = null;

  /** Makes it known. Throws a ValidationError when another one of the family has its kind. */
  constructor(family: Family, base: FamilyClass, kind: string, shell: FamilyClass) {
    this.family = family;
    this.base = base;
    this.kind = kind;
    this.shell = shell;
    family.add(this);
    register(family, shell, this);
  }

  /** The class of the user's that extends it. Throws a ValidationError, which says what to do, when it is not known yet. */
  get model(): FamilyClass {
    if (this.#model !== null) return this.#model;
    const { name } = this.family.root;
    throw new ValidationError(
      `The class of ${name}'s kind ${JSON.stringify(this.kind)} is not known yet: name it on ${name}, ` +
        "as in static subclasses = () => [Film], or use it first",
    );
  }

  /** What messages call that class. */
  get name(): string {
    return this.#model?.name ?? "another class";
  }

  /** Takes note of the class that extends the shell. Throws a ValidationError when it does so without a kind of its own. */
  learn(model: FamilyClass): void {
    if (this.#model === model) return;
    const direct = model === this.shell || Object.getPrototypeOf(model) === this.shell;
    if (this.#model === null && direct) {
      this.#model = model;
      return;
    }
    throw new ValidationError(
      `${model.name} has the kind ${JSON.stringify(this.kind)}, which is ${this.name}'s; give it one of its own with ` +
        "extend()",
    );
  }
}

/** The models that share a table: one that is extended from no other, and its extensions. */
export class Family {
  readonly root: FamilyClass;
  /** The property whose column tells the class of a row. */
  readonly discriminator: string;
  /** They only grow. */
  readonly extensions: Extension[] = [];
  readonly #readings: Map<Mapper, Reading> = new Map();

  constructor(root: FamilyClass, discriminator: string) {
    this.root = root;
    this.discriminator = discriminator;
  }

  /** Adds an extension. Throws a ValidationError when another one has its kind. */
  add(extension: Extension): void {
    const { kind } = extension;
    if (this.extensions.some((one) => one.kind === kind)) {
      throw new ValidationError(
        `extend() was given the kind ${JSON.stringify(kind)} of ${this.root.name} twice; give each subclass its own`,
      );
    }
    this.extensions.push(extension);
  }

  /** Refuses a kind that is not the class's own; undefined is an extension's own. */
  checkKind(model: FamilyClass, extension: Extension | null, kind: unknown, doing: string): void {
    if (extension !== null) {
      if (kind === undefined || kind === extension.kind) return;
      throw new ValidationError(
        `${doing} was given the ${this.discriminator} ${show(kind)}, and ${model.name} has ${show(extension.kind)}: ` +
          "leave it out",
      );
    }
    const other = this.extensions.find((one) => one.kind === kind);
    if (other === undefined) return;
    throw new ValidationError(
      `${doing} was given the ${this.discriminator} ${show(kind)}, which is ${other.name}'s: make one of those`,
    );
  }

  /** Those that were extended from a model, further down too. */
  #descendants({ extension }: Mapper): readonly Extension[] {
    if (extension === null) return this.extensions;
    const { shell } = extension;
    return this.extensions.filter((one) =>
      one.shell !== shell && Object.prototype.isPrototypeOf.call(shell, one.shell)
    );
  }

  /** What is read of the rows of a model, and their kinds: its own, and those of the classes that were extended from it. */
  read(mapper: Mapper): Reading {
    const { length } = this.extensions;
    const known = this.#readings.get(mapper);
    if (known?.size === length) return known;
    this.#learn(mapper.root);
    const descendants = this.#descendants(mapper);
    const columns = [...mapper.columns];
    for (const { shell } of descendants) {
      for (const [property, column] of Object.entries(shell.columns as ModelStatics["columns"])) {
        const mapped = mapColumn(mapper.model, property, columns.length, column);
        if (!columns.some(({ name }) => name === mapped.name)) columns.push(mapped);
      }
    }
    const kinds = descendants.map(({ kind }) => kind);
    if (mapper.extension !== null) kinds.unshift(mapper.extension.kind);
    const reading = { size: length, columns, kinds, places: new Map() };
    this.#readings.set(mapper, reading);
    return reading;
  }

  /**
   * The class of a row that was read for a model, and the row as that class has its columns. Throws a ValidationError when
   * the class is not known yet. A kind that no class has is the base's.
   */
  ofRow<V>(mapper: Mapper, row: readonly V[]): { readonly mapper: Mapper; readonly row: readonly V[] } {
    const { places, columns } = this.read(mapper);
    const kind = row[mapper.discriminator!.index];
    let place = places.get(kind);
    if (place === undefined) {
      const extension = this.#descendants(mapper).find((one) => one.kind === kind);
      if (extension === undefined) {
        if (mapper.extension === null || kind === mapper.extension.kind) return { mapper, row };
        throw new ValidationError(
          `A row of ${mapper.table} is not a ${mapper.model}: its kind is another subclass's`,
        );
      }
      const own = mapperOf(extension.model);
      const names = columns.map(({ name }) => name);
      place = { mapper: own, at: own.columns.map(({ name }) => names.indexOf(name)) };
      places.set(kind, place);
    }
    return { mapper: place.mapper, row: place.at.map((index) => row[index]!) };
  }

  /** The mappers of a model and of those that were extended from it. Throws a ValidationError when one is not known yet. */
  mappers(mapper: Mapper): readonly Mapper[] {
    this.read(mapper); // makes known what the base names
    return [mapper, ...this.#descendants(mapper).map(({ model }) => mapperOf(model))];
  }

  /** Takes note of the subclasses that a base names. Throws a ValidationError when its list leaves one out. */
  #learn(root: Mapper): void {
    const { subclasses } = root.class;
    if (subclasses === undefined) return;
    const named = subclasses().map((model) => mapperOf(model));
    const stranger = named.find((mapper) => mapper.root !== root);
    if (stranger !== undefined) {
      throw new ValidationError(`${root.model}.subclasses names ${stranger.model}, which was not extended from it`);
    }
    for (const { kind, name } of this.extensions) {
      if (named.some((mapper) => mapper.extension?.kind === kind)) continue;
      const missing = name === "another class" ? "the class" : name;
      throw new ValidationError(
        `${root.model}.subclasses leaves out ${missing} of the kind ${JSON.stringify(kind)}; add it`,
      );
    }
  }
}

function show(kind: unknown): string {
  return typeof kind === "string" ? JSON.stringify(kind) : `of type ${kind === null ? "null" : typeof kind}`;
}
