/**
 * What a request of the isolation tests does with its session, wherever the database is.
 *
 * @module
 */
import { LedgeError, model, type Session, type SessionFactory, t } from "../../mod.ts";

class Note extends model("notes", { id: t.uuid().primaryKey(), text: t.text(), version: t.integer().version() }) {}

/** The table, in each dialect. */
export const TABLE = {
  sqlite: "CREATE TABLE notes (id TEXT PRIMARY KEY, text TEXT NOT NULL, version INTEGER NOT NULL)",
  postgres: "CREATE TABLE notes (id UUID PRIMARY KEY, text TEXT NOT NULL, version INTEGER NOT NULL)",
  mysql: "CREATE TABLE notes (id CHAR(36) PRIMARY KEY, text VARCHAR(100) NOT NULL, version INTEGER NOT NULL)",
};

/** Writes a row, reads it, changes it; in a conversation, with a savepoint that fails, where the database has those. */
async function work(session: Session, text: string, fails: boolean): Promise<unknown> {
  const note = session.add(Note.create({ text }));
  await session.commit();
  const [same, count] = await Promise.all([
    session.query(Note).where({ id: note.id }).one(),
    session.query(Note).where({ text }).count(),
  ]);
  await session.begin();
  note.text = `${text}, changed`;
  if (session.bind.capabilities.interactive) {
    await session.flush();
    await session.savepoint(async () => {
      note.text = "Undone";
      await session.flush();
      throw new Error("Undo this");
    }).catch(() => {});
    if (fails) throw new Error("The request fails within its transaction");
  }
  await session.commit();
  return { text: note.text, version: note.version, isSame: same === note, count };
}

/** Answers one request with a session of its own. */
export async function answer(request: Request, factory: SessionFactory): Promise<Response> {
  const { searchParams } = new URL(request.url);
  await using session = factory();
  try {
    return Response.json(await work(session, searchParams.get("text")!, searchParams.has("fails")));
  } catch (error) {
    const code = error instanceof LedgeError ? error.code : null;
    return Response.json({ code, message: (error as Error).message }, { status: 500 });
  }
}
