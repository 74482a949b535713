/**
 * Whether a server is set up as the adapter needs it.
 *
 * @module
 */
import { UnsupportedError } from "../../src/errors.ts";
import type { Line } from "./line.ts";
import { fromDriver } from "./values.ts";

const question =
  "SELECT @@sql_mode, @@auto_increment_increment, @@innodb_rollback_on_timeout, @@character_set_connection, @@version";

/** Throws an UnsupportedError that names all that is not as it must be. One request. */
export async function checkServer(line: Line, where: string, increment: number): Promise<void> {
  const { rows } = fromDriver(await line.run(question));
  const [mode, step, rollsBack, charset, version] = rows[0]!.map(String) as [string, string, string, string, string];
  const modes = mode.split(",");
  const found: string[] = [];
  if (modes.includes("NO_BACKSLASH_ESCAPES")) {
    found.push("sql_mode has NO_BACKSLASH_ESCAPES, so that text with a backslash or a quote is misread: take it out");
  }
  if (!modes.includes("STRICT_TRANS_TABLES") && !modes.includes("STRICT_ALL_TABLES")) {
    found.push(
      "sql_mode has no strict mode, so that MySQL cuts values to size without a word: add STRICT_TRANS_TABLES",
    );
  }
  if (step !== String(increment)) {
    found.push(
      `auto_increment_increment is ${step}, so that keys of the server's are not counted as this database was told: ` +
        `give planetscale() autoIncrementIncrement: ${step}`,
    );
  }
  if (rollsBack === "1" || rollsBack === "ON") {
    found.push(
      "innodb_rollback_on_timeout is on, so that a lock timeout ends the transaction and what follows it is committed " +
        "statement by statement: set it to OFF",
    );
  }
  if (charset !== "utf8mb4") {
    found.push(`character_set_connection is ${charset}, which cannot hold all text: use utf8mb4`);
  }
  if (found.length > 0) {
    throw new UnsupportedError(`${where} (version ${version}) cannot be relied on: ${found.join("; ")}`);
  }
}
