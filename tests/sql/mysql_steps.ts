/**
 * The tables and the short ways to write steps that the tests of the MySQL dialect share.
 *
 * @module
 */
import { assertRejects } from "@std/assert";
import type { SqlValue } from "../../src/sql/statement.ts";
import type { Cell, DeleteStep, InsertStep, KeyRef, Step, UpdateStep } from "../../src/sql/step.ts";
import type { TableInfo } from "../../src/sql/table.ts";
import { sql } from "../../src/sql/tag.ts";
import { columns, table } from "./fixtures.ts";
import { type MysqlClient, MysqlEngine, Stale } from "./mysql_engine.ts";

export const authors = table("authors", {
  id: { type: "identity" },
  name: { type: "text", serverDefault: sql`'nobody'` },
  rank: { type: "integer", nullable: true, serverDefault: sql`7` },
  version: { type: "integer", version: true, serverDefault: sql`1` },
});
export const nodes = table("nodes", {
  id: { type: "integer", primaryKey: true },
  parent: { type: "integer", nullable: true },
  name: { type: "text", nullable: true },
}, { parent: "self" });

export function insert(
  into: TableInfo,
  names: readonly string[],
  rows: readonly (readonly Cell[])[],
  firstOrdinal: number | null = null,
  returning: readonly string[] = [],
): InsertStep {
  return {
    kind: "insert",
    table: into,
    columns: columns(into, ...names),
    rows,
    firstOrdinal,
    returning: columns(into, ...returning),
  };
}

export function update(
  rows: UpdateStep["rows"],
  names: readonly string[],
  more: Partial<UpdateStep> = {},
): UpdateStep {
  const of = more.table ?? authors;
  return {
    kind: "update",
    table: of,
    columns: columns(of, ...names),
    rows,
    bump: true,
    compare: [],
    returning: [],
    ...more,
  };
}

export function remove(rows: DeleteStep["rows"], checked: boolean, of = authors): DeleteStep {
  return { kind: "delete", table: of, rows, compare: [], checked };
}

export const ref = (of: TableInfo, ordinal: number, value?: SqlValue): KeyRef => ({ table: of, ordinal, value });

/** An engine with three authors at version 1. */
export async function library(): Promise<MysqlEngine> {
  const engine = await MysqlEngine.open(authors, nodes);
  await engine.commit(insert(authors, ["name"], [["Ann"], ["Bob"], ["Cy"]], 0));
  return engine;
}

/** How a commit failed: its step, and the rows that are stale, as execution finds them. */
export interface Failure {
  readonly step: number;
  readonly rows: readonly SqlValue[];
}

/** Commits what must fail, and tells what its guard says. */
export async function failure(on: MysqlEngine | MysqlClient, ...steps: readonly Step[]): Promise<Failure | string> {
  const client = on instanceof MysqlEngine ? on.client : on;
  const error = await assertRejects(() => on.commit(...steps), Error);
  if (error instanceof Stale) return { step: error.at.step, rows: error.rows };
  const found = client.dialect.guardFailure(error.message);
  if (found === null || found.kind === "require") return error.message;
  for (const { step, check } of client.dialect.compile(steps)) {
    if (check === undefined || found.kind === "stale" && found.step !== step) continue;
    const { rows } = await client.send(check);
    if (rows.length > 0) return { step, rows: rows.map(([ordinal]) => ordinal!) };
  }
  return error.message;
}

export const everyone = "SELECT id, name, rank, version FROM authors ORDER BY id";
