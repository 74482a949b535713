/**
 * Pages by key.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { type Session, sql, ValidationError } from "../../mod.ts";
import { Author, author, Book, Sample, Seat } from "./models.ts";
import { type Place, refused, sendsNothing, type Target, test } from "./setup.ts";

/** A key. */
export const id = (digit: number) => `00000000-0000-4000-8000-00000000000${digit}`;

/** Samples with equal values and NULLs among them. */
export async function fill(place: Place): Promise<Session> {
  const integers = [3, null, 1, 2, 3, null, 1, 3];
  await place.save(
    ...integers.map((integer, i) =>
      new Sample({ id: id(i + 1), text: `t${i}`, integer, timestamp: new Date(1000 * (i % 3)) })
    ),
  );
  return place.session();
}

/** The last digits of their keys. */
export const digits = (samples: readonly Sample[]) => samples.map((sample) => sample.id.at(-1)).join("");

/** Registers the tests of pages. */
export function pageSuite(target: Target): void {
  type OrderOf = { integer?: "asc" | "desc"; timestamp?: "asc" | "desc"; id?: "asc" | "desc" };
  const orders: OrderOf[] = [
    {},
    { id: "desc" },
    { integer: "asc" },
    { integer: "desc" },
    { integer: "desc", id: "desc" },
    { timestamp: "asc", integer: "desc" },
    { timestamp: "desc", integer: "asc", id: "desc" },
  ];
  for (const order of orders) {
    test(
      target,
      `query.page() and stream() follow the order ${JSON.stringify(order)}, NULLs included`,
      async (place) => {
        await using session = await fill(place);
        const query = session.query(Sample).orderBy(order);
        const all = digits(await query.orderBy({ id: order.id ?? "asc" }).all());
        for (const size of [1, 2, 3, 8, 9]) {
          let seen = "";
          let cursor: string | null = null;
          let pages = 0;
          do {
            const page: { items: Sample[]; cursor: string | null } = await query.page({ size, after: cursor });
            assert(page.items.length === size || page.cursor === null);
            seen += digits(page.items);
            cursor = page.cursor;
            pages++;
          } while (cursor !== null);
          assertEquals([seen, pages], [all, Math.ceil(8 / size)]);
          let streamed = "";
          for await (const sample of query.stream({ size })) streamed += digits([sample]);
          assertEquals(streamed, all);
        }
      },
    );
  }

  test(target, "query.page() goes on where it was, whatever came and went before", async (place) => {
    await using session = await fill(place);
    const query = session.query(Sample).where({ integer: { isNull: false } }).orderBy({ integer: "asc" });
    const first = await query.page({ size: 2 });
    assertEquals(digits(first.items), "37");
    await place.run("DELETE FROM samples WHERE id = ?", id(3));
    await place.save(new Sample({ id: id(9), integer: 0 }));
    const second = await query.page({ size: 9, after: first.cursor });
    assertEquals([digits(second.items), second.cursor], ["4158", null]);
  });

  test(target, "query.page() takes keys of several columns, and includes", async (place) => {
    await place.save(...["B", "A", "C"].flatMap((letter) => [1, 2].map((row) => new Seat({ row, letter }))));
    await place.save(author("Ann", { a: [], b: [] }), author("Bob", { c: [] }), author("Cy"));
    await using session = place.session();
    let cursor: string | null = null;
    const seen: string[] = [];
    do {
      const page = await session.query(Seat).orderBy({ letter: "desc" }).page({ size: 4, after: cursor }) as {
        items: Seat[];
        cursor: string | null;
      };
      seen.push(...page.items.map(({ row, letter }) => `${row}${letter}`));
      cursor = page.cursor;
    } while (cursor !== null);
    assertEquals(seen, ["1C", "2C", "1B", "2B", "1A", "2A"]);
    const query = session.query(Author).orderBy({ name: "asc" }).include({ books: true });
    const first = await query.page({ size: 1 });
    const second = await query.page({ size: 2, after: first.cursor });
    assertEquals([first, second].map(({ items }) => items.map(({ name, books }) => [name, books.length])), [
      [["Ann", 2]],
      [["Bob", 1], ["Cy", 0]],
    ]);
  });

  test(target, "query.page() costs one request", async (place) => {
    await using session = await fill(place);
    const query = session.query(Sample).orderBy({ integer: "asc" });
    let cursor: string | null = null;
    assertEquals(await place.requests(async () => cursor = (await query.page({ size: 3 })).cursor), 1);
    assertEquals(await place.requests(() => query.page({ size: 3, after: cursor })), 1);
  });

  test(target, "query.page() keeps timestamps to the last digit", async (place) => {
    if (place.db.dialect.name !== "postgres") return;
    for (let i = 1; i < 4; i++) {
      await place.run(`INSERT INTO samples (id, at_time) VALUES (?, '2024-01-01 00:00:00.00000${i}')`, id(i));
    }
    await using session = place.session();
    const query = session.query(Sample).orderBy({ timestamp: "asc" });
    const { cursor } = await query.page({ size: 1 });
    assertEquals(digits((await query.page({ size: 5, after: cursor })).items), "23");
  });

  test(target, "query.page() refuses what is no page and no cursor of its own, and sends nothing", async (place) => {
    await using session = await fill(place);
    const query = session.query(Sample).orderBy({ integer: "asc" });
    const { cursor } = await query.page({ size: 1 });
    const forged = (values: unknown[]) => {
      const [version, mark] = JSON.parse(atob(cursor!.replaceAll("-", "+").replaceAll("_", "/")));
      return btoa(JSON.stringify([version, mark, ...values])).replaceAll("+", "-").replaceAll("/", "_");
    };
    await sendsNothing(place, async () => {
      for (const size of [0, -1, 1.5, "1", undefined]) {
        await refused(() => query.page({ size: size as never }), ValidationError, "size");
      }
      const cursors = [
        "x",
        "",
        5,
        forged([]),
        forged([1]),
        forged(["1 OR 1=1", id(1)]),
        forged([1, "' OR ''='"]),
        forged([1, null]),
        forged([{ toString: 1 }, id(1)]),
        forged([1, id(1), 2]),
      ];
      for (const after of cursors) {
        await refused(() => query.page({ size: 1, after: after as never }), ValidationError, "cursor", "Sample");
      }
      await refused(() => query.orderBy({ text: "asc" }).page({ size: 1, after: cursor }), ValidationError, "cursor");
      await refused(() => session.query(Book).page({ size: 1, after: cursor }), ValidationError, "cursor", "Book");
      await refused(() => query.limit(1).page({ size: 1 }), ValidationError, "limit()");
      await refused(() => query.orderBy(sql`length(name)`).page({ size: 1 }), ValidationError, "sql`…`");
      await refused(() => query.page({ size: 1, nope: 1 } as never), ValidationError, '"nope"');
    });
  });
}
