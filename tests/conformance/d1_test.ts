import { d1Target } from "./d1.ts";
import { conformance } from "./deno.ts";

conformance(d1Target);
