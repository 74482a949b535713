/**
 * The order of a commit: foreign keys, cycles, unique values.
 *
 * @module
 */
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { ForeignKeyViolationError, StaleDataError, UniqueViolationError, ValidationError } from "../../mod.ts";
import {
  Account,
  Article,
  Author,
  Book,
  Booking,
  Egg,
  Employee,
  Folder,
  Hen,
  Maker,
  Member,
  Product,
  Seat,
  Team,
} from "./models.ts";
import { refused, sendsNothing, type Target, test } from "./setup.ts";

/** Registers the tests of the order of a commit. */
export function orderingSuite(target: Target): void {
  test(target, "session.commit() writes parents before children whatever the order of add()", async (place) => {
    await using session = place.session();
    const ann = new Author({ name: "Ann" });
    session.add(new Book({ title: "by key alone", authorId: ann.id }));
    session.add(Book.create({ title: "by relation", author: ann }));
    session.add(ann);
    const seat = new Seat({ row: 2, letter: "B" });
    session.add(new Booking({ guest: "g", seatRow: 2, seatLetter: "B" }));
    const booking = session.add(Booking.create({ guest: "h", seat }));
    await session.commit();
    assertEquals(new Set(await place.column("books", "author_id")), new Set([ann.id]));
    assertEquals([booking.seatRow, booking.seatLetter, await place.rows("bookings")], [2, "B", 2]);
  });

  test(target, "session.commit() deletes children before parents whatever the order of delete()", async (place) => {
    await place.save(Maker.create({ name: "m", products: [new Product({ name: "p" }), new Product({ name: "q" })] }));
    await using session = place.session();
    const [maker] = await session.query(Maker).all();
    const products = await session.query(Product).all();
    for (const one of [maker!, ...products]) await session.delete(one);
    assertEquals(await place.requests(() => session.commit()), place.commits(2));
    assertEquals([await place.rows("makers"), await place.rows("products")], [0, 0]);
  });

  test(target, "session.commit() deletes a parent after its children have moved to a new one", async (place) => {
    await place.save(Maker.create({ name: "old", products: [new Product({ name: "p" })] }));
    await using session = place.session();
    const [old] = await session.query(Maker).all();
    const [product] = await session.query(Product).all();
    product!.maker = new Maker({ name: "new" });
    await session.delete(old!);
    await session.commit();
    assertEquals(await place.column("makers", "name"), ["new"]);
    assertEquals(product!.makerId, product!.maker.id);
  });

  test(target, "session.commit() writes the rows of a tree that refers to itself parents first", async (place) => {
    await using session = place.session();
    const chain = Array.from({ length: 20 }, (_, i) => new Employee({ name: `e${i}` }));
    chain.forEach((one, i) => one.manager = chain[i + 1] ?? null);
    session.addAll(chain);
    const side = session.add(Employee.create({ name: "side", reports: [new Employee({ name: "below" })] }));
    await session.commit();
    assertEquals(chain.map(({ managerId }) => managerId), [...chain.slice(1).map(({ id }) => id), null]);
    assertEquals(side.reports![0]!.managerId, side.id);
    for (const one of [...chain, side, ...side.reports!]) await session.delete(one);
    await session.commit();
    assertEquals(await place.rows("employees"), 0);
  });

  test(target, "session.commit() writes a tree whose keys the server makes", async (place) => {
    await using session = place.session();
    const tree = (name: string, depth: number): Folder =>
      Folder.create({ name, folders: depth === 0 ? [] : [tree(`${name}a`, depth - 1), tree(`${name}b`, depth - 1)] });
    const root = session.add(tree("r", 3));
    await session.commit();
    await using reader = place.other();
    const rows = await reader.query(Folder).all();
    const byId = new Map(rows.map((folder) => [folder.id, folder]));
    assertEquals([rows.length, root.parentId], [15, null]);
    for (const { name, parentId } of rows) {
      assertEquals(parentId === null ? "" : byId.get(parentId)!.name, parentId === null ? "" : name.slice(0, -1));
    }
    assertEquals(byId.get(root.folders![1]!.folders![0]!.id)?.name, "rba");
  });

  test(target, "session.commit() writes a row that refers to itself", async (place) => {
    await using session = place.session();
    const boss = session.add(new Employee({ name: "boss" }));
    boss.manager = boss;
    const loop = session.add(new Folder({ name: "loop" }));
    loop.parent = loop;
    await session.commit();
    assertEquals([boss.managerId, boss.version, loop.parentId], [boss.id, 1, loop.id]);
    assertEquals(await place.column("employees", "manager_id"), [boss.id]);
    assertEquals((await place.column("folders", "parent_id")).map(Number), [loop.id]);
    await session.delete(boss);
    await session.delete(loop);
    await session.commit();
    assertEquals([await place.rows("employees"), await place.rows("folders")], [0, 0]);
  });

  test(
    target,
    "session.commit() breaks a cycle at its nullable foreign key, without counting the version",
    async (place) => {
      await using session = place.session();
      const team = new Team({ name: "t" });
      const [lead, other] = [Member.create({ name: "lead", team }), Member.create({ name: "other", team })];
      team.lead = lead;
      session.addAll([team, other]);
      assertEquals(await place.requests(() => session.commit()), place.commits(3));
      assertEquals([team.leadId, team.version, other.teamId], [lead.id, 1, team.id]);
      assertEquals([await place.column("teams", "lead_id"), (await place.column("teams", "version")).map(Number)], [
        [lead.id],
        [1],
      ]);
      team.lead = Member.create({ name: "next", team });
      await session.delete(lead);
      await session.commit();
      assertEquals([team.version, await place.column("members", "name")], [2, ["next", "other"]]);
      for (const one of [team, team.lead, other]) await session.delete(one);
      await session.commit();
      assertEquals([await place.rows("teams"), await place.rows("members")], [0, 0]);
    },
  );

  test(target, "session.commit() breaks a cycle of employees", async (place) => {
    await using session = place.session();
    const [a, b] = [new Employee({ name: "a" }), new Employee({ name: "b" })];
    [a.manager, b.manager] = [b, a];
    session.add(a);
    await session.commit();
    assertEquals([a.managerId, b.managerId, a.version, b.version], [b.id, a.id, 1, 1]);
    assertEquals(new Set(await place.column("employees", "manager_id")), new Set([a.id, b.id]));
    for (const one of [a, b]) await session.delete(one);
    await session.commit();
    assertEquals(await place.rows("employees"), 0);
  });

  test(target, "session.commit() refuses a cycle of foreign keys that cannot be null", async (place) => {
    await using session = place.session();
    const hen = new Hen({});
    hen.egg = Egg.create({ hen });
    session.addAll([hen, new Author({ name: "with it" })]);
    const error = await sendsNothing(place, () => refused(() => session.commit(), ValidationError, "Hen", "Egg"));
    assert(error.message.includes("nullable"));
    assertEquals([session.state, session.new.size, await place.rows("authors")], ["open", 3, 0]);
  });

  test(target, "session.commit() frees a unique value before it is taken", async (place) => {
    const [a, b, c] = ["a", "b", "c"].map((email) => new Account({ email, nick: `nick ${email}` }));
    await place.save(a!, b!, c!);
    await using session = place.session();
    const byEmail = new Map((await session.query(Account).all()).map((one) => [one.email, one]));
    await session.delete(byEmail.get("a")!);
    byEmail.get("b")!.email = "a"; // taken from a row that is deleted
    byEmail.get("c")!.email = "b"; // taken from a row that is changed
    session.add(new Account({ email: "c", nick: "nick a" })); // both, by a new row
    await session.commit();
    assertEquals(await place.column("accounts", "email"), ["a", "b", "c"]);
    assertEquals([byEmail.get("b")!.version, byEmail.get("c")!.version], [2, 2]);
    assertEquals(await place.column("accounts", "nick"), ["nick a", "nick b", "nick c"]);
  });

  test(target, "session.commit() refuses to swap unique values and says what to do", async (place) => {
    await place.save(new Account({ email: "a" }), new Account({ email: "b" }));
    await using session = place.session();
    const [one, two] = await session.query(Account).orderBy({ email: "asc" }).all();
    [one!.email, two!.email] = ["b", "a"];
    await sendsNothing(
      place,
      () => refused(() => session.commit(), ValidationError, "Unique values are swapped", one!.id),
    );
    assertEquals(session.state, "open");
    await session.rollback();
    assertEquals([one!.email, two!.email], ["a", "b"]);
  });

  test(target, "session.commit() fails on a unique value that another row holds, and writes nothing", async (place) => {
    await place.save(new Account({ email: "a" }));
    await using session = place.session();
    const twin = session.add(new Account({ email: "a" }));
    session.add(new Author({ name: "with it" }));
    const error = await refused(() => session.commit(), UniqueViolationError);
    assertEquals([error.table, error.columns], ["accounts", ["email"]]);
    assertEquals([session.state, await place.rows("authors"), await place.rows("accounts")], ["failed", 0, 1]);
    await session.rollback();
    assertEquals([session.inspect(twin).state, twin.email], ["transient", "a"]);
    twin.email = "b";
    session.add(twin);
    await session.commit();
    assertEquals(await place.column("accounts", "email"), ["a", "b"]);
  });

  test(target, "session.commit() fails on a foreign key that refers to nothing, and writes nothing", async (place) => {
    await using session = place.session();
    session.add(new Author({ name: "with it" }));
    session.add(new Book({ title: "lost", authorId: crypto.randomUUID() }));
    await refused(() => session.commit(), ForeignKeyViolationError);
    await session.rollback();
    assertEquals([await place.rows("authors"), session.state], [0, "open"]);
  });

  test(target, "session.commit() updates a row whose key is deleted and added again", async (place) => {
    await place.save(
      new Seat({ row: 1, letter: "A", taken: true }),
      new Booking({ guest: "g", seatRow: 1, seatLetter: "A" }),
    );
    await using session = place.session();
    const old = await session.getOne(Seat, [1, "A"]);
    await session.delete(old);
    // What refers to it has to be loaded for a NULL foreign key only: this one is not nullable.
    const again = session.add(new Seat({ row: 1, letter: "A" }));
    assertEquals(await place.requests(() => session.commit()), place.commits(1));
    assertEquals([again.version, again.taken, session.inspect(old).state], [2, false, "detached"]);
    assertEquals([await place.rows("seats"), await place.rows("bookings")], [1, 1]);
    assertStrictEquals(await session.get(Seat, [1, "A"]), again);
    again.taken = true;
    await session.commit();
    assertEquals(again.version, 3);
  });

  test(
    target,
    "session.commit() guards a key that is deleted and added again by the deleted version",
    async (place) => {
      await place.save(new Seat({ row: 1, letter: "A", taken: true }));
      await using session = place.session();
      await session.delete(await session.getOne(Seat, { row: 1, letter: "A" }));
      session.add(new Seat({ row: 1, letter: "A" }));
      await place.run("UPDATE seats SET version = 7");
      await refused(() => session.commit(), StaleDataError, "Seat");
      await session.rollback();
      assertEquals((await place.column("seats", "taken")).map(Number), [1]);
    },
  );

  test(
    target,
    "session.commit() makes every column of a key that is added again, server defaults too",
    async (place) => {
      const old = new Article({ price: 3, state: "old", rank: 1, change: "old" });
      const { id } = old;
      await place.save(old);
      await using session = place.session();
      await session.delete(await session.getOne(Article, id));
      const again = session.add(new Article({ id, price: 5 }));
      await session.commit();
      assertEquals([again.state, again.rank, again.twice, again.version], ["new", 7, 10, 2]);
      assertEquals(again.change, "none");
      await using reader = place.other();
      assertEquals({ ...await reader.getOne(Article, id) }, { ...again });
    },
  );
}
