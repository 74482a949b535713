/** The operations of `@ledge/session/bulk`: rows past the identity map, which wait for the next flush or commit. */
import { assert, assertEquals } from "@std/assert";
import { bulkInsert, bulkSave, bulkUpdate } from "../../src/bulk/mod.ts";
import type { BulkRow } from "./bulk.ts";
import type { Run } from "./harness.ts";
import { EXPIRED, type Mirror, Plus } from "./model.ts";
import { type AuthorValues, authorValues, type Operation, pick } from "./choosing.ts";
import { classes, type Kind, kinds, shapes } from "./models.ts";
import { changedColumns } from "./plan.ts";
import { type Key, plain, type Row } from "./rows.ts";

/** The first of the keys that bulk rows are given: none that a database makes. */
const FIRST_KEY = -1000;

/** The keys of rows that are there, or will be once what waits is written. */
function keysOf({ world }: Run, kind: Kind, withPending = true): Key[] {
  const waiting = world.bulk.filter((one) => one.does === "insert" && one.kind === kind).map(({ key }) => key);
  const pending = world.mirrors.filter((one) => one.kind === kind && one.data.status === "pending").map(({ key }) =>
    key
  )
    .filter((key) => key !== undefined);
  return [...new Set([...world.rows.tables[kind].keys(), ...waiting, ...withPending ? pending : []])];
}

/** What a new row of a model holds, but for its key; null where it needs one to refer to. */
function newValues(run: Run, kind: Exclude<Kind, "Author">, n: number, parent: number): Row | null {
  if (kind === "Tag") return { name: `bulk${n}` };
  if (kind === "Review") {
    const bookId = pick(keysOf(run, "Book"), parent);
    return bookId === undefined ? null : { stars: n, bookId };
  }
  if (kind === "Employee") return { name: `bulk${n}`, bossId: pick([null, ...keysOf(run, "Employee")], parent)! };
  return { title: `bulk${n}`, pages: n, authorId: pick([null, ...keysOf(run, "Author")], parent)!, version: 1 };
}

/** What a row is set to. */
function setting(run: Run, kind: Kind, n: number, parent: number): Row {
  if (kind === "Author") return n % 2 > 0 ? { name: `bulk${n}` } : { name: `bulk${n}`, visits: n };
  if (kind === "Tag") return { name: `bulk${n}` };
  if (kind === "Review") return { stars: n };
  if (kind === "Employee") {
    return n % 2 > 0 ? { name: `bulk${n}` } : { bossId: pick([null, ...keysOf(run, "Employee")], parent)! };
  }
  if (n % 3 === 0) return { authorId: pick([null, ...keysOf(run, "Author")], parent)! };
  return n % 3 === 1 ? { title: `bulk${n}` } : { title: `bulk${n}`, pages: n };
}

/** As a caller gives them: without the version, which begins by itself. */
function given({ version: _, ...values }: Row): Record<string, unknown> {
  return values;
}

/** Whether an instance can be saved in bulk by what it holds, and what that is to write; null where it cannot. */
function saved(mirror: Mirror): BulkRow | null {
  const { data, kind, key, shape } = mirror;
  if (key === undefined || data.status !== "detached" && data.status !== "transient") return null;
  const cells = Object.values(data.cols);
  if (cells.some((cell) => cell instanceof Plus)) return null;
  const of = (columns: readonly string[]) => Object.fromEntries(columns.map((one) => [one, data.cols[one]])) as Row;
  if (data.base === null) {
    const isWhole = !cells.includes(EXPIRED) && shape.required.every((one) => data.cols[one] !== undefined);
    return isWhole ? { does: "insert", kind, key, values: of(Object.keys(shape.columns)) } : null;
  }
  const columns = changedColumns(mirror).filter((one) => one !== "version");
  if (columns.length === 0 || columns.includes("id") || data.base.version === EXPIRED) return null;
  return { does: "update", kind, key, values: of(columns), version: data.base.version as number | undefined };
}

/** Every operation, by name. */
export const bulkOperations = {
  async bulkInsertAuthors(run, a, b, c): Promise<boolean> {
    const all: AuthorValues[] = [authorValues(a, b, `bulk${c % 2}`)];
    if (c % 3 === 0) all.push(authorValues(a + 1, 0, "bulk"));
    const rows = all.map((values): BulkRow => ({
      does: "insert",
      kind: "Author",
      key: values.id,
      values: { ...values, born: plain(values.born)!, meta: plain(values.meta)!, visits: 0, version: 1 },
    }));
    run.trace.push(`  ${rows.map(({ key, values }) => `${key} ${values.email}`)}`);
    await run.writing(rows, false, () => bulkInsert(run.session, classes.Author, all), c % 2 > 0);
    return true;
  },

  async bulkInsert(run, a, b, c): Promise<boolean> {
    const kind = pick(["Book", "Book", "Review", "Tag", "Employee"] as const, a)!;
    const returnDefaults = c % 4 === 0;
    const contents: Row[] = [];
    for (let i = 0; i <= c % 2; i++) {
      const values = newValues(run, kind, b + i, b + i * c);
      if (values === null) return false;
      contents.push(values);
    }
    // A key that the database makes is only known where it is asked for.
    const rows = contents.map((values): BulkRow => {
      const key = FIRST_KEY - run.bulkKeys++;
      return { does: "insert", kind, key, values: { ...values, id: key } };
    });
    run.trace.push(`  ${kind} ${returnDefaults ? "at once" : ""} ${JSON.stringify(rows.map(({ values }) => values))}`);
    const model = classes[kind] as typeof classes.Book;
    if (!returnDefaults) {
      await run.writing(
        rows,
        false,
        () => bulkInsert(run.session, model, rows.map(({ values }) => given(values)) as never),
        b % 2 > 0,
      );
      return true;
    }
    let made: readonly object[] = [];
    const done = await run.writing(rows, true, async () => {
      made = await bulkInsert(run.session, model, contents.map(given) as never, { returnDefaults });
    }, b % 2 > 0);
    if (!done) return true;
    for (const [i, { key, values }] of rows.entries()) {
      const { id } = made[i] as { id: Key };
      assert(run.world.rows.get(kind, id) === undefined, `A bulk row was given the key ${id}, which is taken`);
      const row = { ...values, id };
      assertEquals(made[i] as Row, row, "What bulkInsert() returned");
      run.world.rows.tables[kind].delete(key);
      run.world.rows.tables[kind].set(id, row);
    }
    return true;
  },

  async bulkUpdate(run, a, b, c): Promise<boolean> {
    const { world } = run;
    const kind = pick(kinds, a)!;
    const keys = keysOf(run, kind);
    if (c % 8 === 7 && kind !== "Author") keys.push(FIRST_KEY + 1); // of no row
    const chosen = [...new Set([pick(keys, b), c % 2 > 0 ? pick(keys, b + c) : undefined])].filter((key) =>
      key !== undefined
    );
    if (chosen.length === 0) return false;
    const rows = chosen.map((key, i): BulkRow => {
      const known = world.rows.get(kind, key)?.version as number | undefined;
      const version = shapes[kind].versioned && c % 3 === 0 ? known : undefined;
      return { does: "update", kind, key, values: setting(run, kind, c + i, b + i), version };
    });
    const written = rows.map(({ key, values, version }) => ({
      id: key,
      ...values,
      ...version === undefined ? {} : { version },
    }));
    run.trace.push(`  ${kind} ${JSON.stringify(written)}`);
    await run.writing(rows, false, () => bulkUpdate(run.session, classes[kind] as never, written as never), b % 2 > 0);
    return true;
  },

  /** Saves what is in no session; it stays so, and as it is. */
  async bulkSave(run, a, b): Promise<boolean> {
    const all = run.world.mirrors.map((mirror) => ({ mirror, row: saved(mirror) })).filter(({ row }) => row !== null);
    const found = pick(all, a);
    if (found === undefined) return false;
    const { mirror, row } = found;
    run.trace.push(`  ${mirror} ${JSON.stringify(row)}`);
    await run.writing([row!], false, () => bulkSave(run.session, [run.of(mirror)] as never), b % 2 > 0);
    return true;
  },
} satisfies Record<string, Operation>;
