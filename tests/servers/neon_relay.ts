/**
 * A relay between a WebSocket and PostgreSQL's port, which passes bytes on as they are. It reads along what the client
 * says, no further than to tell one trip from the next: a trip ends with a Query or a Sync message.
 *
 * @module
 */

/** What is told of a relay, and what may stop it. */
export interface RelayHooks {
  /** A message of the client arrived. */
  frame(size: number): void;
  /** An answer is passed on. */
  answer(size: number): void;
  /** Waits before a message is handled. */
  latency(): Promise<void> | undefined;
  /** A trip is complete, with these statements, and not yet passed on. */
  trip(sql: readonly string[]): Promise<"cut" | void | undefined>;
  /** The server speaks again after a trip; not yet passed on. */
  answered(sql: readonly string[]): Promise<"cut" | void | undefined>;
}

/** Relays until one side closes, then closes the other; resolves when both are. */
export async function relay(socket: WebSocket, to: Deno.ConnectOptions, hooks: RelayHooks): Promise<void> {
  socket.binaryType = "arraybuffer";
  const incoming: Uint8Array<ArrayBuffer>[] = [];
  let wake: (() => void) | undefined;
  let isOpen = true;
  const closed = new Promise<void>((resolve) => {
    const end = () => {
      isOpen = false;
      wake?.();
      resolve();
    };
    socket.onclose = end;
  });
  socket.onerror = () => {};
  socket.onmessage = ({ data }) => {
    incoming.push(new Uint8Array(data as ArrayBuffer));
    wake?.();
  };
  await new Promise<void>((resolve) => {
    socket.onopen = () => resolve();
    closed.then(resolve);
  });
  let connection: Deno.Conn | undefined;
  const end = () => {
    if (socket.readyState <= WebSocket.OPEN) socket.close();
    try {
      connection?.close();
    } catch {
      // Closed by the other direction.
    }
    connection = undefined;
  };
  try {
    connection = await Deno.connect(to);
  } catch {
    end();
    return await closed;
  }
  const asked: (readonly string[])[] = [];
  const down = (async () => {
    const buffer = new Uint8Array(64 * 1024);
    const server = connection!;
    const held: Uint8Array<ArrayBuffer>[] = [];
    const pass = () => {
      const bytes = new Uint8Array(held.reduce((sum, { length }) => sum + length, 0));
      let at = 0;
      for (const part of held.splice(0)) bytes.set(part, (at += part.length) - part.length);
      if (bytes.length > 0 && socket.readyState === WebSocket.OPEN) socket.send(bytes);
    };
    try {
      for (let size = await server.read(buffer); size !== null; size = await server.read(buffer)) {
        const sql = asked.shift();
        if (sql !== undefined && await hooks.answered(sql) === "cut") break;
        if (socket.readyState !== WebSocket.OPEN) break;
        hooks.answer(size);
        held.push(buffer.slice(0, size));
        // In one piece: two small ones in a row would wait for each other's acknowledgement, which takes 40 ms.
        if (isWhole(buffer.subarray(0, size)) || held.length === 16) pass();
      }
      pass();
    } catch {
      // The connection was closed here.
    }
    end();
  })();
  const reader = new Reader();
  while (isOpen) {
    const message = incoming.shift();
    if (message === undefined) {
      await new Promise<void>((resolve) => wake = resolve);
      continue;
    }
    hooks.frame(message.length);
    await hooks.latency();
    const trips = reader.read(message);
    let isCut = false;
    for (const sql of trips) {
      asked.push(sql);
      isCut = await hooks.trip(sql) === "cut" || isCut;
    }
    if (isCut || connection === undefined) break;
    try {
      await writeAll(connection, message);
    } catch {
      break;
    }
  }
  end();
  await Promise.all([closed, down]);
}

/** Whether the server has said what it had to say: it is ready for more, asks for a password or has failed. */
function isWhole(bytes: Uint8Array): boolean {
  const kind = String.fromCharCode(bytes[0]!);
  const isReady = bytes.length >= 6 && "Z\0\0\0\x05".split("").every((c, i) => bytes.at(i - 6) === c.charCodeAt(0));
  return isReady || kind === "R" || kind === "E";
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Reads the statements out of PostgreSQL's protocol, from the client's side. */
class Reader {
  #rest: Uint8Array = new Uint8Array();
  #hasStarted = false;
  #parsed = "";
  #sql: string[] = [];

  /** The statements of each trip that this message completes. */
  read(message: Uint8Array): string[][] {
    const bytes = new Uint8Array(this.#rest.length + message.length);
    bytes.set(this.#rest);
    bytes.set(message, this.#rest.length);
    const view = new DataView(bytes.buffer);
    const trips: string[][] = [];
    let at = 0;
    while (true) {
      const head = this.#hasStarted ? 1 : 0; // The first message has no kind.
      if (bytes.length < at + head + 4) break;
      const size = view.getUint32(at + head);
      if (bytes.length < at + head + size) break;
      const kind = this.#hasStarted ? String.fromCharCode(bytes[at]!) : "";
      const body = bytes.subarray(at + head + 4, at + head + size);
      at += head + size;
      this.#hasStarted = true;
      if (kind === "P") this.#parsed = text(body, body.indexOf(0) + 1);
      else if (kind === "E") this.#sql.push(this.#parsed);
      else if (kind === "Q" || kind === "S") {
        if (kind === "Q") this.#sql.push(text(body, 0));
        trips.push(this.#sql);
        this.#sql = [];
      }
    }
    this.#rest = bytes.slice(at);
    return trips;
  }
}

/** The text that ends with the next NUL. */
function text(bytes: Uint8Array, from: number): string {
  return new TextDecoder().decode(bytes.subarray(from, bytes.indexOf(0, from)));
}
