/**
 * Keys of several columns at both ends of every kind of relation: loading, cascades, merging.
 *
 * @module
 */
import { assertEquals, assertStrictEquals } from "@std/assert";
import { inspect } from "../../mod.ts";
import { Cell, Lid, Mark } from "./composite_models.ts";
import { type Place, type Target, test } from "./setup.ts";

/** A cell with a lid, marks and two levels of cells below it. */
async function fill(place: Place): Promise<void> {
  const [red, blue] = [new Mark({ name: "red" }), new Mark({ name: "blue" })];
  await place.save(Cell.create({
    x: 1,
    y: 1,
    name: "top",
    lid: new Lid({ color: "black" }),
    marks: [red, blue],
    below: [
      Cell.create({ x: 1, y: 2, name: "a", marks: [red], below: [new Cell({ x: 1, y: 3, name: "c" })] }),
      Cell.create({ x: 2, y: 1, name: "b", lid: new Lid({ color: "white" }) }),
    ],
  }));
}

const names = (found: readonly { name: string }[]) => found.map(({ name }) => name).sort();

/** Registers the tests. */
export function compositeSuite(target: Target): void {
  test(target, "relations of every kind are loaded by keys of several columns", async (place) => {
    await fill(place);
    await using session = place.session();
    const top = await session.getOne(Cell, [1, 1], {
      include: { lid: { cell: true }, marks: { cells: true }, below: { above: true, below: true, lid: true } },
    });
    assertStrictEquals(top.lid!.cell, top);
    assertEquals([names(top.marks), names(top.below), top.below.find(({ name }) => name === "b")!.lid?.color], [
      ["blue", "red"],
      ["a", "b"],
      "white",
    ]);
    const a = top.below.find(({ name }) => name === "a")!;
    assertEquals([names(a.below), a.above === top, a.lid], [["c"], true, null]);
    assertEquals(names(top.marks.find(({ name }) => name === "red")!.cells), ["a", "top"]);
  });

  test(target, "a key that shares one of its columns with another is not taken for it", async (place) => {
    await fill(place);
    await using session = place.session();
    const found = await session.getAll(Cell, [[1, 2], [2, 1], [2, 2], { x: 1, y: 3 }]);
    assertEquals(found.map((cell) => cell?.name), ["a", "b", undefined, "c"]);
  });

  test(target, "delete() goes two levels down by keys of several columns, with lids and links", async (place) => {
    await fill(place);
    await using session = place.session();
    await session.delete(await session.getOne(Cell, [1, 1]));
    await session.commit();
    assertEquals(await Promise.all(["cells", "lids", "cell_marks", "marks"].map((table) => place.rows(table))), [
      0,
      0,
      0,
      2,
    ]);
  });

  test(target, "an orphan with a key of several columns is deleted, with what it has", async (place) => {
    await fill(place);
    await using session = place.session();
    const top = await session.getOne(Cell, [1, 1], { include: ["below", "lid"] });
    const a = top.below.find(({ name }) => name === "a")!;
    top.below = top.below.filter((cell) => cell !== a);
    top.lid = null;
    await session.commit();
    assertEquals([await place.column("cells", "name"), await place.column("lids", "color"), inspect(a).state], [
      ["b", "top"],
      ["white"],
      "detached",
    ]);
    assertEquals(await place.rows("cell_marks"), 2);
  });

  test(target, "a child moves to a parent with another key of several columns", async (place) => {
    await fill(place);
    await using session = place.session();
    const top = await session.getOne(Cell, [1, 1], { include: { below: { below: true } } });
    const [a, b] = ["a", "b"].map((name) => top.below.find((cell) => cell.name === name)!) as [Cell, Cell];
    const c = a.below![0]!;
    b.below!.push(a.below!.pop()!);
    await session.commit();
    assertEquals([c.aboveX, c.aboveY, c.version], [2, 1, 2]);
    c.above = top;
    await session.commit();
    assertEquals([c.aboveX, c.aboveY, b.below], [1, 1, []]);
    c.above = null;
    await session.commit();
    assertEquals([c.aboveX, c.aboveY], [null, null]);
  });

  test(target, "links by keys of several columns come and go from either end", async (place) => {
    await fill(place);
    await using session = place.session();
    const [top, red] = await Promise.all([
      session.getOne(Cell, [1, 1], { include: ["marks"] }),
      session.query(Mark).where({ name: "red" }).include(["cells"]).one(),
    ]);
    top.marks = top.marks.filter((mark) => mark === red);
    red.cells.push(await session.getOne(Cell, [1, 3]));
    await session.commit();
    const links = (await place.column("cell_marks", "cell_y")).map(Number);
    assertEquals([links, names(red.cells)], [[1, 2, 3], ["a", "c", "top"]]);
    await session.delete(red);
    await session.commit();
    assertEquals([await place.rows("cell_marks"), top.marks], [0, []]);
  });

  test(target, "merge() follows relations by keys of several columns", async (place) => {
    await fill(place);
    await using session = place.session();
    const merged = await session.merge(Cell.create({
      x: 1,
      y: 1,
      name: "changed",
      below: [new Cell({ x: 2, y: 1, name: "b2" }), new Cell({ x: 9, y: 9, name: "new" })],
    }));
    await session.commit();
    assertEquals([merged.version, await place.column("cells", "name")], [2, ["b2", "changed", "new"]]);
  });

  test(target, "expire() and refresh() find a row by a key of several columns", async (place) => {
    await fill(place);
    await using session = place.session();
    const cell = await session.getOne(Cell, [1, 2], { include: ["above"] });
    await place.run("UPDATE cells SET name = 'z' WHERE at_x = 1 AND at_y = 2");
    session.expire(cell);
    await session.refresh(cell, { properties: ["name", "above"] });
    assertEquals([cell.name, cell.above?.name], ["z", "top"]);
  });
}
