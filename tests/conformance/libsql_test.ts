import { file, http, memory, ws } from "./libsql.ts";
import { conformance } from "./deno.ts";

for (const target of [memory, file, http, ws]) conformance(target);
