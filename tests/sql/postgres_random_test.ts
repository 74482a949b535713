import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { postgres } from "../../src/sql/postgres.ts";
import type { SqlValue } from "../../src/sql/statement.ts";
import type { Cell, KeyRef, Step, UpdateRow } from "../../src/sql/step.ts";
import type { TableInfo } from "../../src/sql/table.ts";
import { sql } from "../../src/sql/tag.ts";
import { columns, table } from "./fixtures.ts";
import { PostgresEngine } from "./postgres_engine.ts";

const people = table("people", {
  id: { type: "identity" },
  name: { type: "text" },
  big: { type: "bigint", nullable: true },
  size: { type: "double", nullable: true },
  data: { type: "bytes", nullable: true },
  doc: { type: "json", nullable: true },
  boss: { type: "integer", nullable: true },
  version: { type: "integer", version: true },
}, { boss: "self" });

const teams = table("teams", {
  id: { type: "uuid", primaryKey: true, serverDefault: sql`gen_random_uuid()` },
  name: { type: "text" },
  lead: { type: "integer", nullable: true },
}, { lead: people });

const members = table("members", {
  person: { type: "integer", primaryKey: true },
  team: { type: "uuid", primaryKey: true },
  role: { type: "text" },
}, { person: people, team: teams });

const text = fc.string({ unit: "binary", maxLength: 6 }).map((one) => one.replaceAll("\0", "").toWellFormed());
const [, name, big, size, data, doc] = people.columns;
const columnValues = {
  name: text.map((value) => postgres.codec(name!.type).encode(value, name!)),
  big: fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })).map((value) =>
    value === null ? null : postgres.codec(big!.type).encode(value, big!)
  ),
  size: fc.option(fc.double()).map((value) => value === null ? null : postgres.codec(size!.type).encode(value, size!)),
  data: fc.option(fc.uint8Array({ maxLength: 4 })).map((value) =>
    value === null ? null : postgres.codec(data!.type).encode(value, data!)
  ),
  doc: fc.option(fc.constantFrom<unknown>(null, "null", 1, [], { a: null }), { freq: 3 }).map((value) =>
    value === null ? "null" : postgres.codec(doc!.type).encode(value, doc!)
  ),
};
const setNames = ["name", "big", "size", "data", "doc"] as const;
const fraction = fc.double({ min: 0, max: 0.999, noNaN: true });

const person = fc.record({
  ...columnValues,
  /** Another person of the batch, as a fraction of those before; null for none. */
  boss: fc.option(fraction),
  /** The name is written by an expression, so that the row goes by itself. */
  alone: fc.boolean(),
  change: fc.record({ ...columnValues, alone: fc.boolean() }, { requiredKeys: [] }),
});
const plan = fc.record({
  batches: fc.array(fc.array(person, { maxLength: 10 }), { minLength: 1, maxLength: 4 }),
  /** Of each batch, whether it leaves out the columns that may be. */
  short: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
  teams: fc.array(fc.tuple(text, fc.option(fraction)), { maxLength: 8 }),
  members: fc.uniqueArray(fc.tuple(fc.nat(11), fc.nat(7)), { maxLength: 12, selector: String }),
  stale: fc.option(fraction),
  deleted: fc.array(fc.nat(11)),
});

const ref = (of: TableInfo, ordinal: number): KeyRef => ({ table: of, ordinal });
const at = (share: number, count: number): number => Math.floor(share * count);

/** What the column shows of an encoded value, as the values of the table are read below. */
function shown(of: typeof setNames[number], value: SqlValue): unknown {
  if (value === null) return null;
  return of === "doc"
    ? JSON.parse(value as string) === null ? "JSON null" : JSON.parse(value as string)
    : decoded(of, value);
}

function decoded(of: typeof setNames[number], value: SqlValue): unknown {
  return postgres.codec(columns(people, of)[0]!.type).decode(value);
}

Deno.test("compile() does what the steps say, for random rows, references, partial updates and deletes", async () => {
  await using engine = await PostgresEngine.open(people, teams, members);
  const read = async () =>
    (await engine.query(
      "SELECT id, name, big, size, data, doc, boss, version FROM people ORDER BY id",
    )).map(([id, name, big, size, data, doc, boss, version]) => [
      Number(id),
      name,
      shown("big", big!),
      shown("size", size!),
      shown("data", data!),
      shown("doc", doc!),
      boss === null ? null : Number(boss),
      Number(version),
    ]);

  await fc.assert(
    fc.asyncProperty(plan, async ({ batches, short, teams: groups, members: pairs, stale, deleted }) => {
      await engine.query("TRUNCATE members, teams, people");
      const [[last]] = await engine.query("SELECT nextval(pg_get_serial_sequence('people', 'id'))") as [[string]];
      const base = Number(last) + 1;
      const expected: unknown[][] = [];
      const steps: Step[] = [];
      for (const [b, batch] of batches.entries()) {
        const given = short[b] ? ["name", "boss", "version"] : [...setNames, "boss", "version"];
        const firstOrdinal = expected.length;
        const rows = batch.map((one): Cell[] => {
          const boss = one.boss === null || expected.length === 0 ? null : at(one.boss, expected.length);
          const values: Record<string, Cell> = {
            big: one.big,
            size: one.size,
            data: one.data,
            doc: one.doc,
            name: one.alone ? sql`${one.name} || '?'` : one.name,
            boss: boss === null ? null : ref(people, boss),
            version: 1,
          };
          expected.push([
            base + expected.length,
            one.alone ? `${one.name}?` : one.name,
            ...setNames.slice(1).map((column) => short[b] ? null : shown(column, one[column])),
            boss === null ? null : base + boss,
            1,
          ]);
          return given.map((column) => values[column]);
        });
        steps.push({
          kind: "insert",
          table: people,
          columns: columns(people, ...given),
          rows,
          firstOrdinal,
          returning: [],
        });
      }
      const leads = groups.map(([, lead]) => lead === null || expected.length === 0 ? null : at(lead, expected.length));
      steps.push({
        kind: "insert",
        table: teams,
        columns: columns(teams, "name", "lead"),
        rows: groups.map(([name], i) => [`${i} ${name}`, leads[i] === null ? null : ref(people, leads[i]!)]),
        firstOrdinal: 0,
        returning: [],
      });
      const joined = pairs.filter(([p, t]) => p < expected.length && t < groups.length);
      steps.push({
        kind: "insert",
        table: members,
        columns: columns(members, "person", "team", "role"),
        rows: joined.map(([p, t]) => [ref(people, p), ref(teams, t), `${p} in ${t}`]),
        firstOrdinal: null,
        returning: [],
      });
      const { compiled, rows } = await engine.commit(...steps);
      // The keys came back with the positions of their rows.
      const made = (of: TableInfo): string[][] =>
        steps.flatMap((step, s) =>
          step.kind !== "insert" || step.table !== of ? [] : compiled
            .flatMap((one, i) => one.step === s ? rows[i]!.map(([position, key]) => [position!, key!]) : [])
            .sort(([a], [b]) => Number(a) - Number(b))
        );
      assertEquals(made(people).map(([, id]) => Number(id)), expected.map(([id]) => id));
      assertEquals(await read(), expected);
      const teamIds = made(teams).map(([, id]) => id!);
      const found = new Map(
        (await engine.query("SELECT id, name, lead FROM teams")).map(([id, ...rest]) => [id, rest]),
      );
      assertEquals(
        teamIds.map((id) => found.get(id)),
        groups.map(([name], i) => [`${i} ${name}`, leads[i] === null ? null : String(base + leads[i]!)]),
      );
      const roles = (list: typeof joined) =>
        list.map(([p, t]) => [String(base + p), teamIds[t]!, `${p} in ${t}`]).toSorted();
      const readRoles = async () => (await engine.query("SELECT person, team, role FROM members")).toSorted();
      assertEquals(await readRoles(), roles(joined));

      const all = batches.flat();
      const update = (versionOf: (row: number) => number): Step => ({
        kind: "update",
        table: people,
        columns: columns(people, ...setNames),
        rows: all.map(({ change }, i): UpdateRow => ({
          key: [base + i],
          version: versionOf(i),
          cells: setNames.map((column) =>
            column === "name" && change.alone ? sql`${sql.id("name")} || ${"!"}` : change[column]
          ),
        })),
        bump: true,
        compare: [],
        returning: columns(people, "version"),
      });
      if (stale !== null && all.length > 0) {
        const from = at(stale, all.length);
        const error = await assertRejects(() => engine.commit(update((row) => row < from ? 1 : 9)), Error);
        const failure = postgres.guardFailure(error.message);
        assertEquals(failure?.kind === "stale" && failure.row, from);
        assertEquals(await read(), expected);
      }
      all.forEach(({ change }, i) => {
        const row = expected[i]!;
        setNames.forEach((column, c) => {
          if (column === "name" && change.alone) row[1] += "!";
          else if (change[column] !== undefined) row[c + 1] = shown(column, change[column]);
        });
        row[7] = 2;
      });
      const updated = await engine.commit(update(() => 1));
      assertEquals(
        updated.rows.flat().toSorted((a, b) => Number(a[0]) - Number(b[0])),
        all.map((_, i) => [String(i), String(base + i), "2"]),
      );
      assertEquals(await read(), expected);

      const kept = joined.filter((_, i) => !deleted.includes(i));
      await engine.commit({
        kind: "delete",
        table: members,
        rows: joined.filter((one) => !kept.includes(one)).map(([p, t]) => ({
          key: [base + p, teamIds[t]!],
          before: [`${p} in ${t}`],
        })),
        compare: columns(members, "role"),
        checked: true,
      });
      assertEquals(await readRoles(), roles(kept));
    }),
    { numRuns: 120 },
  );
});
