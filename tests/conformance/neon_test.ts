import { conformance } from "./suite.ts";
import { http, httpOnly, pool } from "./neon.ts";

for (const target of [http, httpOnly, pool]) conformance(target);
