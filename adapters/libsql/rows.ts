/**
 * The rows of answers over HTTP, read past the driver. It decodes every integer as a bigint and defines two properties for
 * each cell, which costs more than all else when many rows are read.
 *
 * @module
 */
import type { SqlValue } from "../../src/sql/statement.ts";
import type { DriverResult } from "./client.ts";
import { fromHrana, type HranaValue } from "./values.ts";

/** What is looked at of Hrana's answer to a pipeline; all else is the driver's. */
interface Answer {
  readonly results: readonly {
    readonly response?: { readonly result?: Result & { step_results?: (Result | null)[] } };
  }[];
}

interface Result {
  rows?: HranaValue[][];
}

/**
 * Rows that were taken out of answers. In their place the driver finds one row of one text, and gives it in its result:
 * rows and result cannot be mismatched, whatever was sent together, failed, or is never looked at. No text of a database
 * is such a mark, for it is made up when the answer has arrived. An answer that is not as expected is left to the driver,
 * and so are its rows.
 */
export class TakenRows {
  readonly #taken = new Map<unknown, SqlValue[][]>();
  #isEnded = false;

  /** The answer with this text, without its rows; undefined when it is not one that they can be taken out of. */
  take(text: string): unknown {
    if (this.#isEnded) return undefined;
    try {
      const answer: Answer = JSON.parse(text);
      for (const { response } of answer.results) {
        const result = response?.result;
        for (const one of result?.step_results ?? [result]) {
          if (!one?.rows?.length) continue;
          const mark = crypto.randomUUID();
          this.#taken.set(mark, one.rows.map((row) => row.map(fromHrana)));
          one.rows = [[{ type: "text", value: mark }]];
        }
      }
      return answer;
    } catch {
      return undefined; // The driver says what is wrong with it.
    }
  }

  /** The rows that were taken for this result, which are given once; undefined when its rows are its own. */
  of({ rows }: DriverResult): SqlValue[][] | undefined {
    const mark = rows[0]?.[0];
    const taken = this.#taken.get(mark);
    this.#taken.delete(mark);
    return taken;
  }

  /** From now on the driver gets all rows: it is used by others, who know of no marks. */
  end(): void {
    this.#isEnded = true;
  }
}
