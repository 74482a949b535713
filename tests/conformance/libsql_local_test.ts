import { conformance } from "./deno.ts";
import { file, memory } from "./libsql.ts";

for (const target of [memory, file]) conformance(target);
