/**
 * What the package offers, as `deno doc` sees it: exports, their members, and the options that they take.
 *
 * @module
 */

const ROOT = new URL("../../", import.meta.url);

/** What a line calls the instances of a class or an interface whose members are documented one by one. */
const OWNERS: Readonly<Record<string, string>> = {
  Session: "session",
  SessionFactory: "factory",
  ScopedSession: "scopedSession",
  SessionRegistry: "registry",
  Query: "query",
  Select: "select",
  Result: "result",
  Scalars: "scalars",
  InsertStatement: "insert",
  UpdateStatement: "update",
  DeleteStatement: "deleteFrom",
  SessionTransaction: "savepoint",
  StatementTransaction: "tx",
  Transacting: "db",
  Bulk: "bulk",
  IdentityMapView: "identityMap",
  ColumnTypes: "t",
  Column: "column",
  SqlTag: "sql",
  SessionEvents: "",
  StagedStatement: "staged",
  LedgeError: "error",
  CommitOutcomeUnknownError: "error",
  PreparedTransaction: "prepared",
};

/** One export of one entry point. */
export interface Export {
  readonly entry: string;
  readonly name: string;
  /** Whether it is a type alone: nothing of it is there when the program runs. */
  readonly isType: boolean;
}

export interface PublicApi {
  /** The specifiers of the entry points. */
  readonly entries: readonly string[];
  /** Entry points of deno.json whose file is not there. */
  readonly absent: readonly string[];
  readonly exports: readonly Export[];
  /** The members that want a line each: `session.get`, `session[Symbol.iterator]`, `beforeCommit`. */
  readonly members: readonly string[];
  /** The options of exported interfaces named `…Options`, each with where it stands: `Session.autoflush`. */
  readonly options: readonly { readonly owner: string; readonly name: string }[];
  /** Every name that stands anywhere in it: parameters, and options of literal types too. */
  readonly names: ReadonlySet<string>;
}

interface Member {
  readonly name: string;
  readonly accessibility?: string | null;
  readonly jsDoc?: { readonly tags?: readonly { readonly kind: string }[] };
}

interface Declaration {
  readonly kind: string;
  readonly def?: { readonly methods?: readonly Member[]; readonly properties?: readonly Member[] };
}

interface DocumentedModules {
  readonly nodes: Readonly<
    Record<
      string,
      { readonly symbols: readonly { readonly name: string; readonly declarations: readonly Declaration[] }[] }
    >
  >;
}

const TYPE_KINDS = ["interface", "typeAlias"];

/** Reads deno.json and runs `deno doc`; half a second. */
export async function readPublicApi(): Promise<PublicApi> {
  const { name, exports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT))) as {
    readonly name: string;
    readonly exports: Readonly<Record<string, string>>;
  };
  const there = new Map<string, string>();
  const absent: string[] = [];
  for (const [specifier, path] of Object.entries(exports)) {
    const url = new URL(path, ROOT);
    const entry = name + specifier.slice(1);
    if (await Deno.stat(url).then(() => true, () => false)) there.set(url.href, entry);
    else absent.push(`${entry} (${path})`);
  }
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", ...there.keys()],
    stdout: "piped",
    stderr: "null",
  }).output();
  if (!success) throw new Error("deno doc failed; run it by hand to see why");
  const { nodes } = JSON.parse(new TextDecoder().decode(stdout)) as DocumentedModules;
  const found: Export[] = [];
  const members = new Set<string>();
  const options: { owner: string; name: string }[] = [];
  const kinds = new Map<string, boolean>();
  for (const [url, { symbols }] of Object.entries(nodes)) {
    for (const { name, declarations } of symbols) {
      const own = declarations.filter(({ kind }) => kind !== "reference");
      if (own.length > 0) kinds.set(name, own.every(({ kind }) => TYPE_KINDS.includes(kind)));
      found.push({ entry: there.get(url)!, name, isType: false });
      for (const { def, kind } of own) {
        const public_ = [...def?.methods ?? [], ...def?.properties ?? []].filter(isDocumented);
        const owner = OWNERS[name];
        if (owner !== undefined) { for (const member of public_) members.add(pathTo(owner, member.name)); }
        if (kind === "interface" && name.endsWith("Options")) {
          for (const member of public_) options.push({ owner: name, name: member.name });
        }
      }
    }
  }
  return {
    entries: [...there.values()],
    absent,
    exports: found.map((one) => ({ ...one, isType: kinds.get(one.name) ?? false })),
    members: [...members],
    options,
    names: namesIn(nodes),
  };
}

/** Whether a member is for users: neither protected nor `@internal`, nor a symbol of the package's own. */
function isDocumented({ name, accessibility, jsDoc }: Member): boolean {
  if (accessibility === "protected" || accessibility === "private") return false;
  if (/^\[(?!Symbol\.)/.test(name)) return false;
  return !(jsDoc?.tags ?? []).some(({ kind }) => kind === "internal");
}

function pathTo(owner: string, member: string): string {
  return owner === "" ? member : member.startsWith("[") ? owner + member : `${owner}.${member}`;
}

/** Every value of a key `name`, however deep. */
function namesIn(value: unknown, found: Set<string> = new Set()): Set<string> {
  if (typeof value !== "object" || value === null) return found;
  for (const [key, inner] of Object.entries(value)) {
    if (key === "name" && typeof inner === "string") found.add(inner);
    else namesIn(inner, found);
  }
  return found;
}
