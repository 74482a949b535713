import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Cell, InsertStep, KeyRef, Step, UpdateRow } from "../../src/sql/step.ts";
import type { SqlValue } from "../../src/sql/statement.ts";
import type { TableInfo } from "../../src/sql/table.ts";
import { sql } from "../../src/sql/tag.ts";
import { columns, Engine, table } from "./fixtures.ts";

const people = table("people", {
  id: { type: "identity" },
  name: { type: "text" },
  big: { type: "bigint", nullable: true },
  size: { type: "double", nullable: true },
  boss: { type: "integer", nullable: true },
  version: { type: "integer", version: true },
}, { boss: "self" });

const pets = table("pets", {
  owner: { type: "integer", primaryKey: true },
  name: { type: "text", primaryKey: true },
  data: { type: "bytes", nullable: true },
}, { owner: people });

interface Person {
  readonly name: string;
  readonly big: bigint | null;
  readonly size: number | null;
  /** The boss among the people so far, as a fraction of their number; null for none. */
  readonly boss: number | null;
  /** What to set later, by column; `expression` writes the name by SQL. */
  readonly change: Partial<Record<"name" | "big" | "size", SqlValue>> & { readonly expression?: boolean };
}

const text = fc.string({ unit: "binary", maxLength: 6 }).map((one) => one.replaceAll("\0", "").toWellFormed());
const big = fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
const size = fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }).map((one) => one + 0));
const person: fc.Arbitrary<Person> = fc.record({
  name: text,
  big,
  size,
  boss: fc.option(fc.double({ min: 0, max: 0.999, noNaN: true })),
  change: fc.record({ name: text, big, size, expression: fc.boolean() }, { requiredKeys: [] }),
});
const plan = fc.record({
  /** Rows deleted beforehand, so that the greatest key was taken once. */
  gap: fc.nat(3),
  batches: fc.array(fc.array(person, { maxLength: 12 }), { minLength: 1, maxLength: 4 }),
  withSize: fc.boolean(),
  pets: fc.array(fc.tuple(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.option(fc.uint8Array({ maxLength: 4 })))),
  deleted: fc.array(fc.nat(30)),
});

type Row = [
  id: number,
  name: string,
  big: bigint | number | null,
  size: number | null,
  boss: number | null,
  version: number,
];

/** As the driver gives it back in these tests. */
const read = (value: bigint | null): bigint | number | null =>
  value !== null && Number.isSafeInteger(Number(value)) ? Number(value) : value;

const ref = (of: TableInfo, ordinal: number): KeyRef => ({ table: of, ordinal });

Deno.test("compile() does what the steps say, for random rows, references, partial updates and deletes", async () => {
  using engine = new Engine();
  await engine.create(people, pets);
  await fc.assert(
    fc.asyncProperty(plan, async ({ gap, batches, withSize, pets: animals, deleted }) => {
      await engine.run(...["pets", "people"].map((name) => ({ sql: `DELETE FROM ${name}`, params: [] })));
      for (let i = 0; i < gap; i++) await engine.query("INSERT INTO people (name, version) VALUES ('gap', 1)");
      await engine.query("DELETE FROM people");
      const base = Number((await engine.query("SELECT seq FROM sqlite_sequence WHERE name = 'people'"))[0]?.[0] ?? 0) +
        1;

      const expected: Row[] = [];
      const steps: Step[] = [];
      const names = withSize ? ["name", "big", "size", "boss", "version"] : ["name", "big", "boss", "version"];
      for (const batch of batches) {
        const firstOrdinal = expected.length;
        const rows = batch.map((one): Cell[] => {
          const boss = one.boss === null || expected.length === 0 ? null : Math.floor(one.boss * expected.length);
          expected.push([
            base + expected.length,
            one.name,
            read(one.big),
            withSize ? one.size : null,
            boss === null ? null : base + boss,
            1,
          ]);
          const cell = boss === null ? null : ref(people, boss);
          return withSize ? [one.name, one.big, one.size, cell, 1] : [one.name, one.big, cell, 1];
        });
        const step: InsertStep = {
          kind: "insert",
          table: people,
          columns: columns(people, ...names),
          rows,
          firstOrdinal,
          returning: [],
        };
        steps.push(step);
      }
      const owned = expected.length === 0 ? [] : animals.map(([owner, data], i) => ({
        owner: Math.floor(owner * expected.length),
        name: `pet ${i}`,
        data,
      }));
      steps.push({
        kind: "insert",
        table: pets,
        columns: columns(pets, "owner", "name", "data"),
        rows: owned.map((one) => [ref(people, one.owner), one.name, one.data]),
        firstOrdinal: null,
        returning: [],
      });
      const { compiled, rows } = await engine.commit(...steps);
      // The keys came back, in the order of the rows.
      const keys = compiled.flatMap((one, i) =>
        one.match === "ascending" ? rows[i]!.map(([id]) => id as number).sort((a, b) => a - b) : []
      );
      assertEquals(keys, expected.map(([id]) => id));

      const set = withSize ? ["name", "big", "size"] as const : ["name", "big"] as const;
      const changes = batches.flat().map((one, i): UpdateRow => ({
        key: [base + i],
        version: 1,
        cells: set.map((name) =>
          name === "name" && one.change.expression ? sql`${sql.id("name")} || ${"!"}` : one.change[name]
        ),
      }));
      batches.flat().forEach(({ change }, i) => {
        const row = expected[i]!;
        if (change.expression) row[1] += "!";
        else if (change.name !== undefined) row[1] = change.name as string;
        if (change.big !== undefined) row[2] = read(change.big as bigint | null);
        if (withSize && change.size !== undefined) row[3] = change.size as number | null;
        row[5]++;
      });
      await engine.commit({
        kind: "update",
        table: people,
        columns: columns(people, ...set),
        rows: changes,
        bump: true,
        compare: [],
        returning: [],
      });
      assertEquals(await engine.query("SELECT * FROM people ORDER BY id"), expected);

      const kept = owned.filter((_, i) => !deleted.includes(i));
      await engine.commit({
        kind: "delete",
        table: pets,
        rows: owned.filter((one) => !kept.includes(one)).map((one) => ({
          key: [base + one.owner, one.name],
          before: [one.data],
        })),
        compare: columns(pets, "data"),
        checked: true,
      });
      assertEquals(
        await engine.query("SELECT * FROM pets ORDER BY CAST(substr(name, 5) AS INTEGER)"),
        kept.map((one) => [base + one.owner, one.name, one.data]),
      );
    }),
    { numRuns: 150 },
  );
});
