/**
 * The workloads on Prisma 7, with the generated client of each database and its driver adapter over HTTP. `$transaction`
 * with a list is a conversation there too, which Neon's driver has none of over HTTP.
 *
 * @module
 */
import { neonConfig } from "@neondatabase/serverless";
import { PrismaLibSql } from "@prisma/adapter-libsql/web";
import { PrismaNeonHttp } from "@prisma/adapter-neon";
import { PrismaPlanetScale } from "@prisma/adapter-planetscale";
import { useFronts } from "../../tests/servers/neon_config.ts";
import { changeOf, FIND_KEYS, type Kind, MIXED, type Open, type Run, SIZE, type WorkId } from "../workloads.ts";
import { PrismaClient as Libsql } from "./generated/libsql/client.ts";
import { PrismaClient as PlanetScale } from "./generated/planetscale/client.ts";
import { PrismaClient as Postgres } from "./generated/postgres/client.ts";

// The clients differ in what a whole number is; the workloads are checked against libSQL's.
function connect(kind: Kind, url: string): Libsql {
  const transactionOptions = { timeout: 120_000, maxWait: 10_000 }; // 5 s by default: W8 takes longer at 20 ms a request
  if (kind === "libsql") return new Libsql({ adapter: new PrismaLibSql({ url }), transactionOptions });
  if (kind === "planetscale") {
    return new PlanetScale({ adapter: new PrismaPlanetScale({ url }), transactionOptions }) as unknown as Libsql;
  }
  useFronts(neonConfig);
  return new Postgres({ adapter: new PrismaNeonHttp(url, {}), transactionOptions }) as unknown as Libsql;
}

export const open: Open = (kind, url) => {
  const db = connect(kind, url);
  /** A whole number as this client takes it. */
  const n = kind === "libsql" ? (n: number) => n : (n: number) => BigInt(n) as unknown as number;
  const load = () => db.item.findMany({ where: { id: { lte: n(SIZE.loaded) } } });
  type Item = Awaited<ReturnType<typeof load>>[number];
  const save = async (changed: readonly { item: Item; changes: ReturnType<typeof changeOf> }[]) => {
    const results = await db.$transaction(changed.map(({ item: { id, version }, changes }) => {
      const data = "quantity" in changes ? { quantity: n(changes.quantity) } : changes;
      return db.item.updateMany({ where: { id, version }, data: { ...data, version: { increment: 1 } } });
    }));
    for (const { count } of results) if (count !== 1) throw new Error("Stale");
  };
  const runs: Partial<Record<WorkId, Run>> = {
    async W1(turn) {
      await db.author.create({ data: { id: crypto.randomUUID(), name: `Author ${turn}` } });
      return 1;
    },
    async W2() {
      const authors: { id: string; name: string }[] = [];
      const books: { id: string; title: string; authorId: string }[] = [];
      for (let i = 0; i < SIZE.authors; i++) {
        const author = { id: crypto.randomUUID(), name: `Author ${i}` };
        authors.push(author);
        for (let j = 0; j < SIZE.booksEach; j++) {
          books.push({ id: crypto.randomUUID(), title: `${author.name}: book ${j}`, authorId: author.id });
        }
      }
      const [first, second] = await db.$transaction([
        db.author.createMany({ data: authors }),
        db.book.createMany({ data: books }),
      ]);
      return first.count + second.count;
    },
    async W3(turn) {
      const items = await load();
      const changed = items.filter((_, i) => i % SIZE.changeEvery === 0);
      await save(changed.map((item) => ({ item, changes: { name: `Turn ${turn}` } })));
      return items.length;
    },
    async W4() {
      return (await Promise.all(FIND_KEYS.map((id) => db.item.findUnique({ where: { id: n(id) } })))).filter(Boolean)
        .length;
    },
    async W5() {
      return (await db.item.findMany()).length;
    },
    async W6() {
      const writers = await db.writer.findMany({
        where: { id: { lte: n(SIZE.graph) } },
        include: { works: { include: { reviews: true } } },
      });
      let loaded = 0;
      for (const { works } of writers) {
        loaded++;
        for (const { reviews } of works) loaded += 1 + reviews.length;
      }
      return loaded;
    },
    async W7() {
      const names = Array.from({ length: SIZE.authors }, (_, i) => ({ name: `Author ${i}` }));
      return await db.$transaction(async (tx) => {
        const writers = await tx.writer.createManyAndReturn({ data: names });
        const rows = writers.flatMap(({ id, name }) =>
          Array.from({ length: SIZE.booksEach }, (_, j) => ({ title: `${name}: book ${j}`, writerId: id }))
        );
        return writers.length + (await tx.work.createManyAndReturn({ data: rows })).length;
      });
    },
    async W8(turn) {
      const items = await load();
      await save(items.map((item, i) => ({ item, changes: changeOf(i, turn) })));
      return items.length;
    },
    async W9() {
      const [items, writers, lists, counts, works] = await Promise.all([
        Promise.all(MIXED.items.map((id) => db.item.findUnique({ where: { id: n(id) } }))),
        Promise.all(MIXED.writers.map((id) => db.writer.findUnique({ where: { id: n(id) } }))),
        Promise.all(
          MIXED.quantities.map((quantity) =>
            db.item.findMany({ where: { quantity: n(quantity) }, orderBy: { id: "asc" }, take: MIXED.limit })
          ),
        ),
        Promise.all(MIXED.below.map((below) => db.item.count({ where: { quantity: { lt: n(below) } } }))),
        Promise.all(MIXED.worksOf.map((id) => db.work.findMany({ where: { writerId: n(id) } }))),
      ]);
      return items.filter(Boolean).length + writers.filter(Boolean).length + lists.flat().length + counts.length +
        works.flat().length;
    },
    async W10() {
      const data = Array.from({ length: SIZE.flushed }, (_, i) => ({ id: crypto.randomUUID(), name: `Author ${i}` }));
      return (await db.author.createMany({ data })).count;
    },
  };
  const close = () => db.$disconnect();
  if (kind === "libsql") return { runs, close };
  const { W1, W4, W5, W6, W9, W7: _, ...writes } = runs;
  const reads = { W1: W1!, W4: W4!, W5: W5!, W6: W6!, W9: W9! };
  if (kind === "planetscale") {
    return { runs: { ...reads, ...writes }, cannot: { W7: "it has no createManyAndReturn on MySQL" }, close };
  }
  const why = "no transactions over Neon's HTTP";
  return { runs: reads, cannot: { W2: why, W3: why, W7: why, W8: why, W10: why }, close };
};
