/**
 * Several statements in one trip over a WebSocket: PostgreSQL's extended protocol, with one Sync at its end. The server
 * skips whatever follows a statement that failed, so that a COMMIT at the end is reached only when all before it
 * succeeded. The driver takes it as it takes any object with `submit()`, the way of `pg-cursor`. The driver's own queries
 * would be a trip each, and would convert the values.
 *
 * @module
 */
import { deferred } from "../shared/deferred.ts";
import type { Field, RawResult } from "./client.ts";
import type { TextStatement } from "./values.ts";

/** The driver's end of the protocol. */
interface Wire {
  parse(message: { text: string; name: string; types: number[] }): void;
  bind(message: { portal: string; statement: string; values: (string | null)[]; binary: boolean }): void;
  describe(message: { type: "P"; name: string }): void;
  execute(message: { portal: string; rows: number }): void;
  sync(): void;
  sendCopyFail(message: string): void;
}

/** A failure, and the position of the statement that failed. */
export class PipelineError {
  constructor(readonly error: unknown, readonly index: number) {}
}

/** A trip: rejects with a {@linkcode PipelineError}. */
export class Pipeline {
  /** The results, when the server is ready for more. */
  readonly done: Promise<RawResult[]>;
  /** Used by the driver where the client has a `query_timeout`: it is called, or replaced and called. */
  callback: (error?: unknown) => void = () => {};
  readonly #statements: readonly TextStatement[];
  readonly #settle = deferred<RawResult[]>();
  readonly #results: RawResult[] = [];
  #fields: readonly Field[] = [];
  #rows: (string | null)[][] = [];

  constructor(statements: readonly TextStatement[]) {
    this.#statements = statements;
    this.done = this.#settle.promise;
  }

  /** Sends the statements. Called by the driver, as are all below. */
  submit(wire: Wire): null {
    for (const { sql, params } of this.#statements) {
      wire.parse({ text: sql, name: "", types: [] });
      wire.bind({ portal: "", statement: "", values: params, binary: false });
      wire.describe({ type: "P", name: "" });
      wire.execute({ portal: "", rows: 0 });
    }
    wire.sync();
    return null;
  }

  handleRowDescription({ fields }: { fields: readonly Field[] }): void {
    this.#fields = fields;
  }

  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    this.#rows.push(fields);
  }

  handleCommandComplete({ text }: { text: string }): void {
    const [, command = "", count] = /^([A-Za-z ]+?)(?: [\d ]*?(\d+))?$/.exec(text) ?? []; // INSERT also tells an oid.
    this.#next(command, count === undefined ? null : Number(count));
  }

  handleEmptyQuery(): void {
    this.#next("", null);
  }

  handleError(error: unknown): void {
    this.callback(error);
    this.#settle.reject(new PipelineError(error, this.#results.length));
  }

  handleReadyForQuery(): void {
    this.callback();
    this.#settle.resolve(this.#results);
  }

  handlePortalSuspended(): void {}

  handleCopyInResponse(wire: Wire): void {
    wire.sendCopyFail("COPY FROM STDIN is not supported");
  }

  handleCopyData(): void {}

  #next(command: string, rowCount: number | null): void {
    this.#results.push({ fields: this.#fields, rows: this.#rows, command, rowCount });
    this.#fields = [];
    this.#rows = [];
  }
}
