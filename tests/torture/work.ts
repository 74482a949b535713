/**
 * The units of work of the torture run: each loads and changes something in a session, for the runner to commit.
 *
 * @module
 */
import { deleteFrom, type Session, sql } from "../../mod.ts";
import { Account, ACCOUNTS, Counter, Entry, Line, Note, Order, Ticket } from "./models.ts";

/** What a unit of work is given. */
export interface Task {
  readonly session: Session;
  /** The name of this commit: in all that it writes. */
  readonly tag: string;
  readonly worker: number;
  readonly random: () => number;
  /** Codes of tickets that this worker made and knows to be there. */
  readonly tickets: readonly string[];
  /** Whether the database has conversations. */
  readonly interactive: boolean;
}

/** What is to be seen once the commit is reported done; each is a complaint otherwise. */
export interface Promised {
  /** The entry, and with it what the server made. */
  readonly entry?: Entry;
  readonly order?: Order;
  readonly accounts?: readonly { readonly account: Account; readonly version: number }[];
  /** The ticket that is gone. */
  readonly removed?: string | undefined;
}

export type Kind = "transfer" | "conversation" | "single" | "ticket" | "clash" | "remove" | "graph" | "stage" | "own";

type Work = (task: Task) => Promise<Promised>;

const entry = ({ session, tag }: Task, kind: Kind, more: Partial<Pick<Entry, "source" | "target" | "about">> = {}) =>
  session.add(new Entry({ tag, kind, amount: 0, source: null, target: null, about: null, ...more }));

/** Moves money between two accounts, which must not go below zero. */
async function move(task: Task, kind: Kind): Promise<Promised> {
  const { session, random } = task;
  const source = Math.floor(random() * ACCOUNTS);
  const target = (source + 1 + Math.floor(random() * (ACCOUNTS - 1))) % ACCOUNTS;
  const amount = 1 + Math.floor(random() * 50);
  const [from, to] = await session.getAll(Account, [source, target]);
  if (!from || !to) throw new Error("An account is not there");
  from.balance -= amount;
  to.balance += amount;
  const made = entry(task, kind, { source, target });
  made.amount = amount;
  session.require(sql`(SELECT min(${sql.id("balance")}) FROM ${sql.id("accounts")}) >= 0`);
  return { entry: made, accounts: [from, to].map((account) => ({ account, version: account.version })) };
}

const works: Readonly<Record<Kind, Work>> = {
  /** Reads, then one batch of versioned updates, an insert and a condition. */
  transfer: (task) => move(task, "transfer"),
  /** The same, begun on a connection and committed with what came later. */
  conversation: async (task) => {
    const promised = await move(task, "conversation");
    if (task.interactive) await task.session.flush();
    return promised;
  },
  /** One statement, which travels without a transaction where there is no more to it. */
  // deno-lint-ignore require-await
  single: async (task) => ({ entry: entry(task, "single") }),
  /** A key made here, and a unique value. */
  // deno-lint-ignore require-await
  ticket: async (task) => {
    task.session.add(new Ticket({ code: task.tag }));
    return { entry: entry(task, "ticket") };
  },
  /** A unique value that is there already: this must never be reported done. */
  // deno-lint-ignore require-await
  clash: async (task) => {
    task.session.add(new Ticket({ code: task.tickets[0] ?? "taken" }));
    return { entry: entry(task, "clash") };
  },
  /** A delete. */
  remove: async (task) => {
    const code = task.tickets.at(-1);
    if (code === undefined) return await works.ticket(task);
    const ticket = await task.session.query(Ticket).where({ code }).first();
    if (ticket === null) throw new Error(`Ticket ${code} is not there`);
    await task.session.delete(ticket);
    return { entry: entry(task, "remove", { about: code }), removed: code };
  },
  /** Rows that refer to a key which the server makes in the same batch. */
  // deno-lint-ignore require-await
  graph: async ({ session, tag }) => {
    const order = session.add(Order.create({ tag, lines: [new Line({ amount: 1 }), new Line({ amount: 2 })] }));
    return { order };
  },
  /** Staged statements, which nothing guards. */
  // deno-lint-ignore require-await
  stage: async (task) => {
    const { session, worker } = task;
    session.stage(sql`UPDATE ${sql.id("counters")} SET n = n + 1 WHERE id = ${worker}`);
    session.stage(deleteFrom(Counter).where({ id: -1 }));
    return { entry: entry(task, "stage", { source: worker }) };
  },
  /** One versioned update. */
  own: async ({ session, worker, tag }) => {
    (await session.getOne(Note, worker)).tag = tag;
    return {};
  },
};

/** How often each is done, out of 100. */
const shares: Readonly<Record<Kind, number>> = {
  transfer: 40,
  conversation: 10,
  single: 8,
  ticket: 8,
  clash: 4,
  remove: 8,
  graph: 8,
  stage: 8,
  own: 6,
};

/** One of them, by chance. */
export function pick(random: () => number): Kind {
  let left = random() * 100;
  for (const [kind, share] of Object.entries(shares) as [Kind, number][]) if ((left -= share) < 0) return kind;
  return "transfer";
}

/** Does the work of a unit, up to the commit. */
export function work(kind: Kind, task: Task): Promise<Promised> {
  return works[kind](task);
}
