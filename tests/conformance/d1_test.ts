import { d1Target } from "./d1.ts";
import { conformance } from "./suite.ts";

conformance(d1Target);
