/**
 * How the costs of a session grow with what is in it: from 100 to 100,000 entities, each size in a process of its own.
 * `growth` for the benchmark, and what runs when this file is started with the URL of a server.
 *
 * @module
 */
import process from "node:process";
import { createAll, Session } from "@ledge/session";
import { connect, Item, models } from "./ledge.ts";
import { Child, serve } from "./lines.ts";
import { aligned, short, spread } from "./report.ts";
import { Server } from "./server.ts";

const SIZES = [100, 1000, 10_000, 100_000];

/** What is measured, each in microseconds of CPU for each entity. */
const COSTS = {
  flush: "commit of new ones",
  hydrate: "loading",
  lookup: "get() of what is loaded",
  check: "commit, none changed",
  one: "commit, one changed",
} as const;
type Cost = keyof typeof COSTS;

/** What one size costs. */
export interface Growth {
  readonly entities: number;
  readonly costs: Readonly<Record<Cost, number>>;
  /** The dirty check of as many clean entities, to loading them. */
  readonly checkToLoad: number;
}

/** Measures all sizes on a server of their own: medians of `runs`. */
export async function growth(runs: number): Promise<Growth[]> {
  await using server = await Server.start("libsql");
  const measured: Growth[] = [];
  for (const entities of SIZES) {
    await using child = await Child.start(["run", "-A", "--no-check", import.meta.filename!, server.url]);
    const repeat = Math.max(runs, Math.min(50, 10_000 / entities));
    for (let i = 0; i < Math.min(20, 10_000 / entities); i++) await sample(server, child, entities); // warm-up
    const samples: Record<Cost, number>[] = [];
    for (let i = 0; i < repeat; i++) samples.push(await sample(server, child, entities));
    const costs = {} as Record<Cost, number>;
    for (const cost of Object.keys(COSTS) as Cost[]) costs[cost] = spread(samples.map((one) => one[cost])).median;
    const checkToLoad = spread(samples.map(({ check, hydrate }) => check / hydrate)).median;
    measured.push({ entities, costs, checkToLoad });
  }
  return measured;
}

async function sample(server: Server, child: Child, entities: number): Promise<Record<Cost, number>> {
  await server.query("DROP TABLE IF EXISTS items");
  return await child.tell(entities) as Record<Cost, number>;
}

/** The table, a head and a size a row. */
export function growthRows(measured: readonly Growth[]): string[][] {
  const costs = Object.keys(COSTS) as Cost[];
  return [
    ["entities", ...costs.map((cost) => COSTS[cost]), "check : load"],
    ...measured.map(({ entities, costs: own, checkToLoad }) => [
      entities.toLocaleString("en"),
      ...costs.map((cost) => short(own[cost])),
      checkToLoad.toFixed(3),
    ]),
  ];
}

/** The same, aligned with spaces. */
export function growthTable(measured: readonly Growth[]): string {
  return aligned(growthRows(measured), 0);
}

if (import.meta.main) {
  const db = connect("libsql", Deno.args[0]!);
  await serve<number>(() =>
    Promise.resolve({
      hello: "ready",
      async obey(entities) {
        await createAll(db, models);
        const cpu = async (work: () => Promise<unknown>): Promise<number> => {
          const before = process.cpuUsage();
          await work();
          const { user, system } = process.cpuUsage(before);
          return (user + system) / entities;
        };
        const flush = await cpu(async () => {
          await using session = new Session({ bind: db });
          for (let i = 0; i < entities; i++) {
            session.add(new Item({ name: `Item ${i}`, email: `item${i}@example.org`, quantity: i % 97 }));
          }
          await session.commit();
        });
        await using session = new Session({ bind: db });
        let items: Item[] = [];
        const hydrate = await cpu(async () => items = await session.query(Item).all());
        if (items.length !== entities) throw new Error(`${items.length} entities were loaded, wanted ${entities}`);
        const lookup = await cpu(async () => {
          for (const { id } of items) if (await session.get(Item, id) === null) throw new Error(`${id} is not there`);
        });
        const check = await cpu(() => session.commit());
        items[entities >> 1]!.name = "Changed";
        const one = await cpu(() => session.commit());
        return { flush, hydrate, lookup, check, one } satisfies Record<Cost, number>;
      },
    })
  );
  await db.close();
}
