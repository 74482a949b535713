/**
 * Carrying out a plan: as one atomic batch where the database has one, step by step on a connection otherwise. A failed
 * guard comes back as the error it stands for.
 *
 * @module
 */
import type { CallOptions, Connection, Database, TransactionOptions } from "../database.ts";
import { DatabaseError, RequirementError, StaleDataError } from "../errors.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { ResultSet, Statement } from "../sql/statement.ts";
import type { CompiledStatement } from "../sql/step.ts";
import { preview } from "../sql/tag.ts";
import { label } from "../state/tracker.ts";
import type { Plan, PlannedStep } from "../unit_of_work/plan.ts";
import { type MadeValues, readRows } from "../unit_of_work/results.ts";

/** What carrying out a plan gave. */
export interface Outcome {
  readonly made: MadeValues;
  /** The results of the staged statements, in order. */
  readonly staged: readonly ResultSet[];
  /** Rows of unchecked deletes that were gone already. */
  readonly alreadyGone: number;
}

/** A plan with its statements; none where each step can only be compiled when the keys before it are known. */
export interface CompiledPlan {
  readonly plan: Plan;
  readonly compiled: readonly CompiledStatement[];
}

/** Compiles a plan; what cannot be written is refused here, before anything is sent. */
export function compilePlan(plan: Plan, dialect: Dialect): CompiledPlan {
  return { plan, compiled: plan.needsConversation ? [] : dialect.compile(plan.steps.map(({ step }) => step)) };
}

/**
 * Carries out a plan in one atomic batch: one request. A plan of a single statement needs no transaction around it and
 * goes alone.
 */
export async function runBatch(
  database: Database,
  { plan, compiled }: CompiledPlan,
  settings: Statement | null,
  options: CallOptions & TransactionOptions,
): Promise<Outcome> {
  const statements = compiled.map(({ statement }) => statement);
  const { signal, timeout } = options;
  const single = statements.length === 1 && settings === null && options.isolation === undefined &&
    compiled[0]!.expectRows === undefined;
  try {
    const all = settings === null ? statements : [settings, ...statements];
    const results = single
      ? [await database.execute(statements[0]!, { signal, timeout })]
      : (await database.batch!(all, options)).slice(all.length - statements.length);
    return readAll(plan.steps, compiled, results);
  } catch (error) {
    throw explain(error, plan.steps, database.dialect);
  }
}

/**
 * Carries out a plan on a connection; with `commit` the transaction ends with it. Where later rows need keys that the
 * dialect cannot carry, each step is compiled when the keys before it are known.
 */
export async function runOnConnection(
  connection: Connection,
  dialect: Dialect,
  { plan, compiled }: CompiledPlan,
  options: CallOptions,
  commit: boolean,
): Promise<Outcome> {
  if (plan.needsConversation) return await runStepwise(connection, dialect, plan, options, commit);
  const statements = compiled.map(({ statement }) => statement);
  const checked = compiled.some(({ expectRows }) => expectRows !== undefined);
  try {
    if (!checked) {
      const results = commit
        ? await connection.commit(statements, options)
        : await sendAll(connection, statements, options);
      return readAll(plan.steps, compiled, results);
    }
    const results: ResultSet[] = [];
    for (const { statement, expectRows, step, from } of compiled) {
      const result = await connection.execute(statement, options);
      if (expectRows !== undefined && result.rowsAffected !== expectRows) {
        throw stale(plan.steps, step, from, expectRows - result.rowsAffected);
      }
      results.push(result);
    }
    if (commit) await connection.commit([], options);
    return readAll(plan.steps, compiled, results);
  } catch (error) {
    throw explain(error, plan.steps, dialect);
  }
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

async function runStepwise(
  connection: Connection,
  dialect: Dialect,
  plan: Plan,
  options: CallOptions,
  commit: boolean,
): Promise<Outcome> {
  const outcomes: Outcome[] = [];
  for (const planned of plan.steps) {
    const step = compilePlan({ ...plan, steps: [planned], needsConversation: false }, dialect);
    outcomes.push(await runOnConnection(connection, dialect, step, options, false));
  }
  if (commit) await connection.commit([], options);
  return {
    made: new Map(outcomes.flatMap(({ made }) => [...made])),
    staged: outcomes.flatMap(({ staged }) => staged),
    alreadyGone: outcomes.reduce((sum, { alreadyGone }) => sum + alreadyGone, 0),
  };
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
      alreadyGone += one.to - one.from - result.rowsAffected;
    }
    readRows(planned, one, result, made);
  });
  return { made, staged, alreadyGone };
}

/** The error that a failed guard stands for; any other error as it is. */
function explain(error: unknown, steps: readonly PlannedStep[], dialect: Dialect): unknown {
  if (!(error instanceof DatabaseError)) return error;
  const failure = dialect.guardFailure(error.message);
  if (failure === null) return error;
  const planned = steps[failure.step];
  if (planned === undefined) return error;
  if (failure.kind === "stale") return stale(steps, failure.step, failure.row, failure.count, error);
  if (planned.step.kind !== "require") return error;
  const { condition, message } = planned.step;
  return new RequirementError(
    message ?? `Nothing was written, since this did not hold at commit: ${preview(condition)}`,
    { cause: error },
  );
}

function stale(
  steps: readonly PlannedStep[],
  step: number,
  row: number,
  count: number,
  cause?: unknown,
): StaleDataError {
  const planned = steps[step]!;
  const state = planned.states[row] ?? null;
  const what = state === null ? "A row" : label(state);
  const others = count > 1 ? ` (and ${count - 1} more)` : "";
  return new StaleDataError(
    `${what}${others} was changed or deleted by another transaction since it was read; nothing was written. ` +
      "Call rollback(), then refresh it and try again",
    { instance: state?.instance ?? null, count, cause },
  );
}
