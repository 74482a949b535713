/**
 * Carrying out a plan: as one atomic batch where the database has one, step by step on a connection otherwise. A failed
 * guard comes back as the error it stands for.
 *
 * @module
 */
import type { CallOptions, Connection, Database, TransactionOptions } from "../database.ts";
import { DatabaseError, IntegrityError, type LedgeError, RequirementError, StaleDataError } from "../errors.ts";
import { UncarriedKeyError } from "../sql/cell.ts";
import type { Dialect } from "../sql/dialect.ts";
import { noted } from "../sql/noted.ts";
import type { ResultSet, SqlValue, Statement } from "../sql/statement.ts";
import type { CompiledStatement, Step } from "../sql/step.ts";
import { preview } from "../sql/tag.ts";
import { label } from "../state/tracker.ts";
import type { Plan, PlannedStep } from "../unit_of_work/plan.ts";
import { type MadeValues, readRows, writtenKey } from "../unit_of_work/results.ts";
import { writeRecord } from "./commit_record.ts";

/** What carrying out a plan gave. */
export interface Outcome {
  readonly made: MadeValues;
  /** The results of the staged statements, in order; null where the answer that held them was lost. */
  readonly staged: ResultSet[] | null;
  /** Rows of unchecked deletes that were gone already. */
  alreadyGone: number;
}

/** A plan with its statements; none where each step can only be compiled when the keys before it are known. */
export interface CompiledPlan {
  readonly plan: Plan;
  readonly compiled: readonly CompiledStatement[];
}

/** The end of a transaction that is being carried out. */
export interface Committing {
  /** Called right before the commit may go out. */
  sending(): void;
  /** The id of the commit's record, which is written with it; null where it has none. */
  readonly record: string | null;
  /** Called with what was carried out, where that is known before COMMIT goes out. */
  saw(outcome: Outcome): void;
}

/**
 * Compiles a plan; what cannot be written is refused here, before anything is sent. A plan that needs a conversation, for
 * keys that no batch can carry too, is compiled step by step as it is carried out. With the id of a `record` its statements
 * note there what they make, where they can.
 */
export function compilePlan(
  plan: Plan,
  { dialect, capabilities }: Pick<Database, "dialect" | "capabilities">,
  record: string | null = null,
): CompiledPlan {
  if (plan.needsConversation) return { plan, compiled: [] };
  try {
    return { plan, compiled: dialect.compile(plan.steps.map(({ step }) => step), record ?? undefined) };
  } catch (error) {
    if (!(error instanceof UncarriedKeyError) || !capabilities.interactive) throw error;
    return { plan: { ...plan, needsConversation: true }, compiled: [] };
  }
}

/** Whether a single statement carries the plan out: it is atomic by itself and needs no transaction. */
export function isSingle({ plan, compiled }: CompiledPlan): boolean {
  return !plan.needsConversation && compiled.length === 1;
}

/**
 * Carries out a plan in one request: in one atomic batch, or as a single statement, which goes alone where no settings
 * no isolation level and no record have to travel with it.
 */
export async function runBatch(
  database: Database,
  { plan, compiled }: CompiledPlan,
  settings: Statement | null,
  options: CallOptions & TransactionOptions,
  committing: Committing,
): Promise<Outcome> {
  const { signal, timeout } = options;
  const run = { target: database, dialect: database.dialect, steps: plan.steps, options: { signal, timeout } };
  signal?.throwIfAborted();
  committing.sending();
  const { record } = committing;
  if (isSingle({ plan, compiled }) && settings === null && options.isolation === undefined && record === null) {
    return readAll(plan.steps, compiled, [await runChecked(run, compiled[0]!)]);
  }
  const statements = compiled.map(({ statement }) => statement);
  if (statements.length === 0) return readAll(plan.steps, [], []);
  const before = settings === null ? [] : [settings];
  if (record !== null) before.push(writeRecord(record, "committed", database.dialect));
  try {
    const results = (await database.batch!([...before, ...statements], options)).slice(before.length);
    return readAll(plan.steps, compiled, results);
  } catch (error) {
    const one = failing(error, compiled, before.length);
    locate(error, plan.steps, one);
    throw explain(error, plan.steps, database.dialect, one);
  }
}

/**
 * Carries out a plan on a connection; with `committing` the transaction ends with it, unless the signal has aborted by then.
 * Where later rows need keys that the dialect cannot carry, each step is compiled when the keys
 * before it are known.
 */
export async function runOnConnection(
  connection: Connection,
  dialect: Dialect,
  { plan, compiled }: CompiledPlan,
  options: CallOptions,
  committing: Committing | null,
): Promise<Outcome> {
  const run: Run = { target: connection, dialect, steps: plan.steps, options };
  const outcome = nothing();
  const record = committing?.record ?? null;
  const head = record === null ? [] : [writeRecord(record, "committed", dialect)];
  const mustSee = record !== null && dialect.readNoted === undefined;
  if (plan.needsConversation) {
    for (const planned of plan.steps) add(outcome, await runStep({ ...run, steps: [planned] }));
  } else if (
    compiled.some((one) => mustSee || one.failsOnRows || one.check !== undefined || one.expectRows !== undefined)
  ) {
    for (const one of compiled) add(outcome, readAll(plan.steps, [one], [await runChecked(run, one)]));
  } else if (compiled.length > 0) {
    const statements = compiled.map(({ statement }) => statement);
    try {
      if (committing !== null) options.signal?.throwIfAborted();
      committing?.sending();
      const results = committing !== null
        ? (await connection.commit([...head, ...statements], options)).slice(head.length)
        : await sendAll(connection, statements, options);
      return readAll(plan.steps, compiled, results);
    } catch (error) {
      const one = failing(error, compiled, head.length);
      locate(error, plan.steps, one);
      throw explain(error, plan.steps, dialect, one);
    }
  }
  if (committing === null) return outcome;
  options.signal?.throwIfAborted();
  committing.saw(outcome);
  committing.sending();
  await connection.commit(head, options);
  return outcome;
}

function nothing(): Outcome & { readonly staged: ResultSet[] } {
  return { made: new Map(), staged: [], alreadyGone: 0 };
}

/** What a batch gave whose answer was lost, by what it noted in its record. */
export function outcomeOf({ plan, compiled }: CompiledPlan, text: SqlValue, dialect: Dialect): Outcome {
  const results = noted(text, compiled, dialect.readNoted!);
  const outcome = readAll(plan.steps, compiled, results);
  return outcome.staged?.length === 0 ? outcome : { ...outcome, staged: null };
}

function add(sum: ReturnType<typeof nothing>, { made, staged, alreadyGone }: Outcome): void {
  for (const [row, values] of made) sum.made.set(row, values);
  sum.staged.push(...staged ?? []);
  sum.alreadyGone += alreadyGone;
}

async function sendAll(
  connection: Connection,
  statements: readonly Statement[],
  options: CallOptions,
): Promise<ResultSet[]> {
  if (statements.length === 0) return [];
  return statements.length === 1
    ? [await connection.execute(statements[0]!, options)]
    : await connection.batch(statements, options);
}

/** Where statements run one by one, and the steps that they belong to. */
interface Run {
  readonly target: Pick<Database, "execute">;
  readonly dialect: Dialect;
  readonly steps: readonly PlannedStep[];
  readonly options: CallOptions;
}

/** Carries out the only step of a run: makes its keys where they cannot be returned, and reads back what was made. */
async function runStep(run: Run): Promise<Outcome> {
  const { target, dialect, options } = run;
  const planned = await withKeys(run);
  const outcome = nothing();
  for (const one of dialect.compile([planned.step])) {
    add(outcome, readAll([planned], [one], [await runChecked({ ...run, steps: [planned] }, one)]));
  }
  const { step, rows } = planned;
  if (dialect.readBack !== undefined && "returning" in step && step.returning.length > 0) {
    for (const one of dialect.readBack(step, rows.map(writtenKey))) {
      readRows(planned, one, await target.execute(one.statement, options), outcome.made);
    }
  }
  return outcome;
}

/** The step of a run, with the keys that an expression of the database makes for its rows. */
async function withKeys({ target, dialect, steps, options }: Run): Promise<PlannedStep> {
  const planned = steps[0]!;
  const { step, rows } = planned;
  const statement = step.kind === "insert" ? dialect.drawKeys?.(step) ?? null : null;
  if (step.kind !== "insert" || statement === null) return planned;
  const drawn = (await target.execute(statement, options)).rows;
  rows.forEach((row, i) => row.made!.value = drawn[i]![0]!);
  const columns = [step.table.key[0]!, ...step.columns];
  return { ...planned, step: { ...step, columns, rows: step.rows.map((cells, i) => [drawn[i]![0]!, ...cells]) } };
}

/** Runs one statement and checks what only the client can check. */
async function runChecked(run: Run, one: CompiledStatement): Promise<ResultSet> {
  const { target, steps, options } = run;
  let result: ResultSet;
  try {
    result = await target.execute(one.statement, options);
  } catch (error) {
    throw await named(run, one, error);
  }
  const first = result.rows[0];
  if (one.failsOnRows && first !== undefined) throw failed(steps, one.step, Number(first[0]), result.rows.length);
  if (one.expectRows !== undefined && result.rowsAffected !== one.expectRows) {
    throw failed(steps, one.step, one.from, one.expectRows - result.rowsAffected);
  }
  return result;
}

/** The error that a failed guard stands for; a guard that cannot count its rows has them read: one request more. */
async function named(
  { target, dialect, steps, options }: Run,
  one: CompiledStatement,
  error: unknown,
): Promise<unknown> {
  const explained = explain(error, steps, dialect, one);
  locate(error, steps, one);
  const isGuard = error instanceof DatabaseError && dialect.guardFailure(error.message) !== null;
  if (one.check === undefined || !isGuard) return explained;
  try {
    const { rows } = await target.execute(one.check, options);
    return rows.length === 0 ? explained : failed(steps, one.step, Number(rows[0]![0]), rows.length, error);
  } catch {
    return explained; // what failed first is what is told
  }
}

function readAll(
  steps: readonly PlannedStep[],
  compiled: readonly CompiledStatement[],
  results: readonly ResultSet[],
): Outcome {
  const made: MadeValues = new Map();
  const staged: ResultSet[] = [];
  let alreadyGone = 0;
  compiled.forEach((one, i) => {
    const planned = steps[one.step]!;
    const result = results[i]!;
    if (planned.step.kind === "staged") staged.push(result);
    if (planned.step.kind === "delete" && !one.guard && planned.rows.some((row) => row.state !== null)) {
      alreadyGone += Math.max(0, one.to - one.from - result.rowsAffected); // a driver may count what cascades deleted
    }
    readRows(planned, one, result, made);
  });
  return { made, staged, alreadyGone };
}

/** The statement that an error is of, where it is known; `before`: the statements that go before those compiled. */
function failing(
  error: unknown,
  compiled: readonly CompiledStatement[],
  before: number,
): CompiledStatement | undefined {
  const at = error instanceof DatabaseError ? error.statementIndex : undefined;
  if (at !== undefined) return compiled[at - before];
  return compiled.length === 1 ? compiled[0] : undefined;
}

/** The kinds of steps that the guards stand in. */
const GUARDED: Readonly<Record<"stale" | "require", readonly Step["kind"][]>> = {
  stale: ["update", "delete", "verify"],
  require: ["require"],
};

/**
 * The error that a failed guard stands for; any other error as it is. The message may hold a value that looks like what a
 * guard says: it is believed of a guarded step only, and of `one`, the statement that failed, where that is known.
 */
function explain(
  error: unknown,
  steps: readonly PlannedStep[],
  dialect: Dialect,
  one: CompiledStatement | undefined,
): unknown {
  if (!(error instanceof DatabaseError)) return error;
  const failure = dialect.guardFailure(error.message);
  if (failure === null || failure.kind === "unnamed") return error;
  const kind = steps[failure.step]?.step.kind;
  if (kind === undefined || !GUARDED[failure.kind].includes(kind)) return error;
  if (one !== undefined && one.step !== failure.step) return error;
  return failure.kind === "stale"
    ? failed(steps, failure.step, failure.row, failure.count, error)
    : failed(steps, failure.step, 0, 1, error);
}

/** Says of which table a violated constraint is, and of which columns, where the server does not and its name tells. */
function locate(
  error: unknown,
  steps: readonly PlannedStep[],
  one: CompiledStatement | undefined,
): void {
  if (!(error instanceof IntegrityError)) return;
  const step = one && steps[one.step]!.step;
  if (step === undefined || !("table" in step)) return;
  const { table } = step;
  const named = error.constraint === "PRIMARY"
    ? table.key
    : table.columns.filter((column) => column.unique && column.name === error.constraint);
  const columns = error.columns ?? (named.length > 0 ? named.map(({ name }) => name) : undefined);
  Object.assign(error, { table: error.table ?? table.table, ...columns === undefined ? {} : { columns } });
}

/** The error of a guard that did not hold: of the row with this ordinal in its step, or of a condition. */
function failed(steps: readonly PlannedStep[], step: number, row: number, count: number, cause?: unknown): LedgeError {
  const planned = steps[step]!;
  if (planned.step.kind === "require") {
    const { condition, message } = planned.step;
    return new RequirementError(
      message ?? `Nothing was written, since this did not hold at commit: ${preview(condition)}`,
      { cause },
    );
  }
  const state = planned.states[row] ?? null;
  const what = state === null ? "A row" : label(state);
  const others = count > 1 ? ` (and ${count - 1} more)` : "";
  return new StaleDataError(
    `${what}${others} was changed or deleted by another transaction since it was read; nothing was written. ` +
      "Call rollback(), then refresh it and try again",
    { instance: state?.instance ?? null, count, cause },
  );
}
