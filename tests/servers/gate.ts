/**
 * A TCP relay before an HTTP server that tells when a client goes away in the middle of a request: `Deno.serve` itself
 * notices it only for requests of less than some 450 bytes.
 *
 * @module
 */

/** A running relay. */
export class Gate {
  /** Where clients connect. */
  readonly port: number;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.Conn>();
  readonly #done: Promise<unknown>;

  /** `gone` is given the port from which the relay spoke to the server, which the server knows the client by. */
  constructor(to: number, gone: (port: number) => void) {
    this.port = this.#listener.addr.port;
    this.#done = (async () => {
      const relays: Promise<void>[] = [];
      for await (const client of this.#listener) relays.push(this.#relay(client, to, gone));
      await Promise.all(relays);
    })();
  }

  /** Closes what is open and takes nothing more. */
  async stop(): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) this.#close(connection);
    await this.#done.catch(() => {});
  }

  async #relay(client: Deno.TcpConn, to: number, gone: (port: number) => void): Promise<void> {
    this.#open.add(client);
    let server: Deno.TcpConn;
    try {
      server = await Deno.connect({ hostname: "127.0.0.1", port: to });
    } catch {
      return this.#close(client);
    }
    this.#open.add(server);
    // Passed on at once: a body that comes after its headers would wait 40 ms for their acknowledgement.
    server.setNoDelay();
    client.setNoDelay();
    const up = this.#pass(client, server).then(() => gone((server.localAddr as Deno.NetAddr).port));
    await Promise.all([up, this.#pass(server, client)]);
  }

  /** Passes bytes on until one of the two is closed, then closes the other. */
  async #pass(from: Deno.Conn, to: Deno.Conn): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    try {
      for (let size = await from.read(buffer); size !== null; size = await from.read(buffer)) {
        for (let at = 0; at < size;) at += await to.write(buffer.subarray(at, size));
      }
    } catch {
      // Closed or reset.
    }
    this.#close(from);
    this.#close(to);
  }

  #close(connection: Deno.Conn): void {
    if (this.#open.delete(connection)) connection.close();
  }
}
