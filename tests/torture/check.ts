/**
 * What must hold at the end of a torture run: what each commit was reported to be, against the rows of the database itself.
 *
 * @module
 */
import { ACCOUNTS, BALANCE } from "./models.ts";
import type { Row } from "./places.ts";
import type { Kind } from "./work.ts";

/** How a commit ended, as far as its caller knows. */
export type Outcome = "done" | "failed" | "ambiguous";

/** One commit, or a unit of work that did not come to it. */
export interface Attempt {
  readonly tag: string;
  readonly kind: Kind;
  readonly worker: number;
  outcome: Outcome;
  /** The name of the error. */
  readonly error: string | null;
  /** What the error says. */
  readonly detail?: string;
  /** The key that the server made, as it was given back. */
  readonly key: number | null;
}

/** What was found. */
export interface Findings {
  /** Reported done, and not there. */
  lost: number;
  /** There more than once. */
  doubled: number;
  /** Reported failed, and there. */
  wrong: number;
  /** Of the ambiguous ones: how many are there. */
  applied: number;
  /** All that does not hold, in words; the first few. */
  readonly complaints: string[];
}

/** Compares the attempts with the rows. */
export async function check(attempts: readonly Attempt[], truth: (sql: string) => Promise<Row[]>): Promise<Findings> {
  const findings: Findings = { lost: 0, doubled: 0, wrong: 0, applied: 0, complaints: [] };
  const complain = (text: string) => void (findings.complaints.length < 20 && findings.complaints.push(text));
  const same = (what: string, found: number, wanted: number) => {
    if (found !== wanted) complain(`${what} is ${found} instead of ${wanted}`);
  };
  const numbers = (row: Row, ...names: string[]) => names.map((name) => Number(row[name]));
  const entries = await truth("SELECT * FROM entries");
  const orders = await truth("SELECT * FROM orders");
  const byTag = new Map<string, Row[]>();
  for (const row of [...entries, ...orders]) byTag.set(String(row.tag), [...byTag.get(String(row.tag)) ?? [], row]);

  const known = new Set(attempts.map(({ tag }) => tag));
  for (const tag of byTag.keys()) if (!known.has(tag)) complain(`${tag} is there and nobody wrote it`);
  for (const { tag, kind, outcome, key, error, detail = "" } of attempts) {
    if (kind === "own") continue;
    const rows = byTag.get(tag) ?? [];
    const what = `${kind} ${tag}, reported ${outcome}${error === null ? "" : ` (${error}: ${detail})`},`;
    if (rows.length > 1) {
      findings.doubled++;
      complain(`${what} is there ${rows.length} times`);
    } else if (outcome === "done" && rows.length === 0) {
      findings.lost++;
      complain(`${what} is not there`);
    } else if (outcome === "failed" && rows.length === 1) {
      findings.wrong++;
      complain(`${what} is there`);
    } else if (outcome === "ambiguous" && rows.length === 1) findings.applied++;
    if (outcome === "done" && kind === "clash") {
      findings.wrong++;
      complain(`${what} cannot have been done`);
    }
    if (key !== null && rows.length === 1 && Number(rows[0]!.id) !== key) {
      complain(`${what} was given the key ${key} and has ${rows[0]!.id}`);
    }
  }

  // Every effect is there as often as its entry: no commit is there in part.
  const balances = new Map(Array.from({ length: ACCOUNTS }, (_, id) => [id, { balance: BALANCE, version: 1 }]));
  for (const row of entries.filter(({ source, target }) => source !== null && target !== null)) {
    const [source, target, amount] = numbers(row, "source", "target", "amount") as [number, number, number];
    for (const [id, change] of [[source, -amount], [target, amount]] as const) {
      const account = balances.get(id)!;
      account.balance += change;
      account.version++;
    }
  }
  let total = 0;
  for (const row of await truth("SELECT * FROM accounts")) {
    const [id, balance, version] = numbers(row, "id", "balance", "version") as [number, number, number];
    total += balance;
    if (balance < 0) complain(`Account ${id} is at ${balance}`);
    same(`The balance of account ${id}`, balance, balances.get(id)!.balance);
    same(`The version of account ${id}`, version, balances.get(id)!.version);
  }
  same("The total", total, ACCOUNTS * BALANCE);

  const wanted = new Set(entries.filter(({ kind }) => kind === "ticket").map(({ tag }) => String(tag)));
  for (const { about } of entries) if (about !== null) wanted.delete(String(about));
  const tickets = new Set(
    (await truth("SELECT code FROM tickets WHERE code <> 'taken'")).map(({ code }) => String(code)),
  );
  for (const code of wanted) if (!tickets.has(code)) complain(`Ticket ${code} is not there`);
  for (const code of tickets) if (!wanted.has(code)) complain(`Ticket ${code} is there`);

  const lines = Map.groupBy(await truth("SELECT * FROM order_lines"), (row) => Number(row.order_id));
  for (const { id, tag } of orders) {
    const amounts = (lines.get(Number(id)) ?? []).map(({ amount }) => Number(amount)).sort();
    if (amounts.join() !== "1,2") complain(`Order ${tag} has the lines ${amounts.join()}`);
    lines.delete(Number(id));
  }
  for (const id of lines.keys()) complain(`Lines of order ${id} are there without it`);

  for (const row of await truth("SELECT * FROM counters")) {
    const [id, n] = numbers(row, "id", "n") as [number, number];
    same(`Counter ${id}`, n, entries.filter(({ kind, source }) => kind === "stage" && Number(source) === id).length);
  }

  for (const row of await truth("SELECT * FROM notes")) {
    const [id, version] = numbers(row, "id", "version") as [number, number];
    const own = attempts.filter(({ kind, worker }) => kind === "own" && worker === id);
    const count = (outcome: Outcome) => own.filter((attempt) => attempt.outcome === outcome).length;
    const [done, ambiguous, changes] = [count("done"), count("ambiguous"), version - 1];
    if (changes < done) findings.lost += done - changes;
    if (changes > done + ambiguous) findings.wrong += changes - done - ambiguous;
    findings.applied += Math.max(0, changes - done);
    if (changes < done || changes > done + ambiguous) {
      complain(
        `Note ${id} was changed ${changes} times; ${done} changes were reported done and ${ambiguous} ambiguous`,
      );
    }
  }
  return findings;
}
