/**
 * The databases that the examples are run on: each real, with the bookstore's tables, and with its rows to be read past the
 * session.
 *
 * @module
 */
import { neonConfig } from "@neondatabase/serverless";
import { createAll } from "../../mod.ts";
import { models } from "../../examples/bookstore/app.ts";
import { open, type Settings } from "../../examples/bookstore/open.ts";
import { startHrana } from "../servers/hrana.ts";
import { mariadbMissing } from "../servers/mariadb.ts";
import { startNeon, useFronts } from "../servers/neon.ts";
import { startFront } from "../servers/planetscale.ts";

useFronts(neonConfig);

/** A row, its values as numbers and texts. */
export type Row = Readonly<Record<string, unknown>>;

/** A database of the bookstore. */
export interface Store extends AsyncDisposable {
  /** What an environment says of it. */
  readonly settings: { readonly [name in keyof Settings]?: string };
  /** Rows, read at the database itself. */
  query(sql: string): Promise<readonly Row[]>;
  /** What is open at the server for clients: WebSockets, streams, transactions. */
  open(): number;
}

/** The databases, by what they are called in tests; and why one is missing, if it is. */
export const stores: readonly { readonly name: string; readonly missing?: string | null; start(): Promise<Store> }[] = [
  { name: "libSQL", start: () => startLibsql("http") },
  { name: "libSQL over a WebSocket", start: () => startLibsql("ws") },
  { name: "Neon", start: startNeonStore },
  { name: "PlanetScale", missing: mariadbMissing(), start: startPlanetscale },
];

async function startLibsql(transport: "http" | "ws"): Promise<Store> {
  const token = crypto.randomUUID();
  const server = await startHrana({ token });
  const settings = { DATABASE_URL: transport === "ws" ? server.wsUrl : server.url, DATABASE_TOKEN: token };
  await makeTables(settings);
  return {
    settings,
    query: (sql) => Promise.resolve(server.db.query(sql)),
    open: () => server.sockets + server.openStreams,
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

async function startNeonStore(): Promise<Store> {
  const front = await startNeon();
  // A PostgreSQL takes a hundred connections or so, and Neon's proxy lets the rest wait.
  let free = 40;
  const waiting: (() => void)[] = [];
  front.before = async () => {
    while (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    free--;
    return undefined;
  };
  front.after = () => {
    free++;
    waiting.shift()?.();
    return undefined;
  };
  const settings = { DATABASE_URL: front.url };
  await makeTables(settings);
  return {
    settings,
    query: async (sql) => (await front.db.query(sql)).map(withNumbers),
    open: () => front.sockets,
    [Symbol.asyncDispose]: () => front.stop(),
  };
}

/** The row with integers of 64 bits, which npm's `pg` gives as texts, as numbers. */
function withNumbers(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      return [name, typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value];
    }),
  );
}

async function startPlanetscale(): Promise<Store> {
  const front = await startFront();
  const settings = { DATABASE_URL: front.url };
  await makeTables(settings);
  return {
    settings,
    query: (sql) => front.run(sql),
    open: () => front.transactions + front.sessions,
    [Symbol.asyncDispose]: () => front.stop(),
  };
}

async function makeTables(settings: Settings): Promise<void> {
  const db = open(settings);
  await createAll(db, models);
  await db.close();
}
