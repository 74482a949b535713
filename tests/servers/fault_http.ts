/**
 * As much of HTTP/1.1 as a proxy on sockets needs: requests with a Content-Length, one after the other, and their answers.
 *
 * @module
 */

/** A request as it came. */
export interface RawRequest {
  readonly method: string;
  readonly path: string;
  /** Without those that are about the connection. */
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer>;
  /** The request line and all headers, as bytes. */
  readonly head: Uint8Array<ArrayBuffer>;
}

/** An answer as it goes out. */
export interface RawAnswer {
  readonly status: number;
  readonly text: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
}

/** About the connection, or about a body that is sent in another way. */
const ofConnection = ["connection", "host", "content-length", "transfer-encoding", "keep-alive"];

/** Reads requests off a connection. */
export class HttpReader {
  readonly #connection: Deno.Conn;
  #held: Uint8Array<ArrayBuffer> = new Uint8Array();

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  /** The next request; null when the client is gone. */
  async next(): Promise<RawRequest | null> {
    let end = endOfHead(this.#held);
    while (end < 0) {
      if (!await this.#more()) return null;
      end = endOfHead(this.#held);
    }
    const head = this.#take(end);
    const [line, ...lines] = new TextDecoder().decode(head).trimEnd().split("\r\n");
    const [method, path] = line!.split(" ");
    const headers = new Headers(lines.map((text): [string, string] => {
      const colon = text.indexOf(":");
      return [text.slice(0, colon), text.slice(colon + 1).trim()];
    }));
    if (headers.has("transfer-encoding")) throw new Error("This proxy reads bodies with a Content-Length only");
    const length = Number(headers.get("content-length") ?? 0);
    while (this.#held.length < length) if (!await this.#more()) return null;
    if (!headers.has("upgrade")) { for (const name of ofConnection) headers.delete(name); }
    headers.set("accept-encoding", "identity");
    return { method: method!, path: path!, headers, body: this.#take(length), head };
  }

  /** What was read and belongs to no request. */
  rest(): Uint8Array<ArrayBuffer> {
    return this.#take(this.#held.length);
  }

  #take(length: number): Uint8Array<ArrayBuffer> {
    const taken = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    return taken;
  }

  async #more(): Promise<boolean> {
    const buffer = new Uint8Array(64 * 1024);
    const size = await this.#connection.read(buffer).catch(() => null);
    if (size === null) return false;
    const joined = new Uint8Array(this.#held.length + size);
    joined.set(this.#held);
    joined.set(buffer.subarray(0, size), this.#held.length);
    this.#held = joined;
    return true;
  }
}

function endOfHead(bytes: Uint8Array): number {
  for (let at = bytes.indexOf(13); at >= 0; at = bytes.indexOf(13, at + 1)) {
    if (bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) return at + 4;
  }
  return -1;
}

/** Writes an answer, or the head and a part of the body; false when the client is gone. */
export async function writeAnswer(connection: Deno.Conn, answer: RawAnswer, part: number): Promise<boolean> {
  const { status, text, headers, body } = answer;
  const lines = headers.filter(([name]) => !ofConnection.includes(name)).map(([name, value]) =>
    `${name}: ${value}\r\n`
  );
  const head = `HTTP/1.1 ${status} ${text}\r\n${lines.join("")}content-length: ${body.length}\r\n\r\n`;
  const bytes = new TextEncoder().encode(head);
  const all = new Uint8Array(bytes.length + Math.floor(body.length * part));
  all.set(bytes);
  all.set(body.subarray(0, all.length - bytes.length), bytes.length);
  try {
    for (let at = 0; at < all.length;) at += await connection.write(all.subarray(at));
    return true;
  } catch {
    return false;
  }
}
