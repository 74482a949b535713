/**
 * What a user reads when a declaration or a call does not compile: each mistake is one message that names it and fits a
 * screen. One run of the compiler checks them all.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";

/** The most characters that a message may have, with the places that it shows. */
const LIMIT = 650;
/** The same where the compiler prints what a constructor takes, which it cuts at about 300 characters, twice. */
const LIMIT_WITH_TWO_SHAPES = 800;

/** Twenty columns: a message that printed all of them would be too long. */
const WIDE = Array.from({ length: 20 }, (_, i) => `column${i}: t.text().nullable(),`).join(" ");

const PRELUDE = `
import { t } from "ROOT/src/model/columns.ts";
import { model } from "ROOT/src/model/model.ts";
import { belongsTo, hasMany } from "ROOT/src/model/relations.ts";
import { Author } from "ROOT/tests/types/author.ts";
import { Book } from "ROOT/tests/types/book.ts";
import type { Session } from "ROOT/tests/types/session.ts";
declare const s: Session;
class Wide extends model("wide", { id: t.uuid().primaryKey(), name: t.text(), ${WIDE} }) { declare author?: Author; }
class Forgotten extends model("r", { id: t.identity(), bookId: t.integer() }) { static relations = { book: belongsTo(() => Book, "bookId") }; }
`;

/** A mistake on one line, what its message must say, and how long it may be. */
const MISTAKES: readonly (readonly [code: string, says: string, limit?: number])[] = [
  ["new Author({});", "Property 'name' is missing"],
  ["new Author({ name: 'x', nmae: 1 });", "'nmae' does not exist"],
  ["new Author({ name: 'x', upper: 'X' });", "'upper' does not exist"],
  ["new Author({ name: 3 });", "Type 'number' is not assignable to type 'string'"],
  ["new Book({ title: 'x', kind: 'poem' });", '\'"poem"\' is not assignable to type \'"novel" | "essay" | undefined\''],
  ["new Wide({});", "Property 'name' is missing", LIMIT_WITH_TWO_SHAPES],
  ["new Wide({ name: 'x', column: 'y' });", "'column' does not exist"],
  ["Book.create({ title: 'x', athor: new Author({ name: 'x' }) });", "Did you mean to write 'author'?"],
  ["Author.create({ name: 'x', books: 3 });", "'number' is not assignable"],
  ["s.query(Author).include({ boks: true });", "'boks' does not exist in type 'Include<Author>'"],
  ["s.query(Author).include({ books: { reviws: true } });", "'reviws' does not exist in type 'Include<Book>'"],
  ["s.query(Author).include(['boks']);", "Did you mean '\"books\"'?"],
  ["s.query(Author).where({ nam: 'x' });", "'nam' does not exist in type 'Where<Author>'"],
  ["s.query(Author).where({ name: 3 });", "'number' is not assignable to type 'string | Op<string> | undefined'"],
  ["s.query(Author).where({ name: { gtt: 'x' } });", "'gtt' does not exist in type 'Op<string>'"],
  ["s.query(Wide).where({ nam: 'x' });", "'nam' does not exist in type 'Where<Wide>'"],
  ["s.query(Author).orderBy({ nam: 'asc' });", "'nam' does not exist in type 'OrderBy<Author>'"],
  ["s.assign(new Author({ name: 'x' }), { nme: 'x' });", "'nme' does not exist in type 'Assign<Author>'"],
  [
    "s.assign(new Wide({ name: 'x' }), { name: 3 });",
    "'number' is not assignable to type 'string | Sql<unknown> | undefined'",
  ],
  ["s.get(Author, 3);", "'number' is not assignable to parameter of type 'Key<Author>'"],
  ["s.query(Forgotten);", '"declare this relation: book"'],
  ["s.query(Date);", "missing the following properties from type 'AnyModel': table, schema, columns"],
  ["(await s.query(Author).one()).books.length;", "Object is possibly 'undefined'"],
  ["hasMany(() => Book, 'autorId');", "'\"autorId\"' is not assignable"],
  ["t.text().version();", '"only t.integer() can be a version"'],
  ["model('x', { a: 1 });", "Type 'number' is not assignable to type 'AnyColumn'"],
];

/** The compiler's messages about a file, by line. */
async function diagnose(code: string): Promise<Map<number, string>> {
  const root = new URL("../../", import.meta.url);
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, code.replaceAll("ROOT/", root.href));
    const { stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--quiet", "--no-lock", "--config", new URL("deno.json", root).pathname, file],
      env: { NO_COLOR: "1" },
      stdout: "null",
      stderr: "piped",
    }).output();
    const messages = new Map<number, string>();
    for (const message of new TextDecoder().decode(stderr).split(/\n\n(?=TS\d+ |Found \d)/)) {
      const line = /^TS\d+ [^]*?\n {4}at \S+?:(\d+):\d+/.exec(message)?.[1];
      if (line !== undefined) {
        messages.set(Number(line), message.replaceAll(root.href, "").replaceAll(/file:\S*\//g, ""));
      }
    }
    return messages;
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("the compiler says what is wrong in a few words when a model is used wrongly", async (test) => {
  const first = PRELUDE.split("\n").length;
  const messages = await diagnose(PRELUDE + MISTAKES.map(([code]) => code).join("\n") + "\nexport {};\n");
  for (const [i, [code, says, limit = LIMIT]] of MISTAKES.entries()) {
    await test.step(code, () => {
      const message = messages.get(first + i);
      assert(message !== undefined, `${code} compiles`);
      assertStringIncludes(message, says);
      assert(message.length < limit, `${message.length} characters for ${code}:\n${message}`);
    });
  }
  assertEquals(messages.size, MISTAKES.length);
});
