/**
 * What a session knows of a statement that writes many rows (`insert`, `update`, `deleteFrom`): its model, and that it brings
 * what runs it. So the builders and all that they need are in a bundle only where a program imports one.
 *
 * @module
 */
import type { CallOptions, Connection } from "../database.ts";
import type { Mapper } from "../model/mapper.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { ResultSet, Statement } from "../sql/statement.ts";
import type { Tracker } from "../state/tracker.ts";
import type { Loader } from "./loader.ts";
import type { Result } from "./result.ts";

/** What a write works with. */
export interface WriteContext {
  readonly tracker: Tracker;
  readonly loader: Loader;
  readonly dialect: Dialect;
}

/** A write, ready to be run: what could be wrong with it was refused before. */
export type Writing = (connection: Connection, options: CallOptions) => Promise<Result<unknown>>;

/** A write that travels with the commit: its one statement, and what its answer is made into once the commit is applied. */
export interface StagedWrite {
  readonly statement: Statement;
  read(set: ResultSet): Result<unknown>;
  /** Does what can be done without its answer. */
  lost(): void;
}

/** How statements of a kind are run. @template N What they are made of. */
export class WriteWork<N> {
  /** Prepares one for the connection. */
  readonly prepare: (node: N, context: WriteContext) => Writing;
  /** Prepares one for the commit. */
  readonly stage: (node: N, context: WriteContext) => StagedWrite;

  constructor(
    prepare: (node: N, context: WriteContext) => Writing,
    stage: (node: N, context: WriteContext) => StagedWrite,
  ) {
    this.prepare = prepare;
    this.stage = stage;
  }
}

/** A statement that brings what runs it. */
export interface Written {
  readonly node: { readonly mapper: Mapper };
  readonly work: WriteWork<unknown>;
}

/** The statement, if a builder that writes made it. */
export function asWritten(statement: unknown): Written | null {
  return Object(statement).work instanceof WriteWork ? statement as Written : null;
}
