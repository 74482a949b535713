import { conformance } from "./deno.ts";
import { http, httpOnly, pool } from "./neon.ts";

for (const target of [http, httpOnly, pool]) conformance(target);
