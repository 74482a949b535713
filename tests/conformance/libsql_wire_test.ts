import { conformance } from "./deno.ts";
import { http, ws } from "./libsql.ts";

for (const target of [http, ws]) conformance(target);
