// Serves a bundle with Node's HTTP server, as its adapters do: `node node_server.mjs BUNDLE ENV`. Prints its port.
import { createServer } from "node:http";

const { default: app } = await import(process.argv[2]);
const env = JSON.parse(process.argv[3]);

const server = createServer(async ({ method, url, headers }, res) => {
  const left = new AbortController();
  res.on("close", () => {
    if (!res.writableFinished) left.abort();
  });
  const response = await app.fetch(new Request(`http://node${url}`, { method, headers, signal: left.signal }), env);
  res.writeHead(response.status, Object.fromEntries(response.headers));
  if (response.body !== null) { for await (const chunk of response.body) res.write(chunk); }
  res.end();
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
